// One channel's transcoder process under supervision: started when there is something to make, fed
// through a bounded queue, killed when it gives no sign of life, started again when it ends,
// drained when it is no longer wanted. Whatever it does costs rungs only. On the channel's home
// shard.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/evidence/facts.hpp"
#include "server/media/image.hpp"
#include "server/media/ladder.hpp"
#include "server/picture/channel/child_process.hpp"
#include "server/picture/channel/device_load.hpp"
#include "server/picture/channel/worker_facts.hpp"
#include "server/picture/channel/worker_queue.hpp"
#include "server/picture/channel/worker_restarts.hpp"

namespace kapok::channel {

// Who takes what a worker makes. Called on the home shard.
class RungSink {
 public:
  virtual ~RungSink() = default;
  virtual void rung_track(const std::string& rung, std::shared_ptr<const media::Track> track) = 0;
  virtual void rung_packet(const std::string& rung, media::Packet packet) = 0;
  virtual void rung_shed(const std::string& rung, std::uint64_t frames) = 0;  // in all
  virtual void anomaly(const media::AnomalyEvent& event) = 0;                 // of the source
  virtual void image(media::Image image) = 0;
  // The process has ended: no rung goes on before its track is told anew.
  virtual void worker_ended() = 0;
};

struct WorkerLimits {
  // Loading drivers and opening devices takes seconds on a cold machine.
  nanoseconds start = seconds(10);
  // Heartbeats come several times a second; a process that is stopped or locked up sends none.
  nanoseconds silence = seconds(3);
  // The last frames of the deepest encoder, on a busy machine.
  nanoseconds drain = seconds(3);
  WorkerQueue::Limits queue;
};

struct WorkerServices {
  boost::asio::any_io_executor home;
  const Clock& clock;
  Log log;
  Metrics& metrics;
  std::string channel;
  evidence::EvidenceSink* evidence = nullptr;  // null: nobody counts hours
  std::shared_ptr<DeviceLoad> devices = std::make_shared<DeviceLoad>();  // of all channels
};

class Worker {
 public:
  Worker(ChildProgram program, WorkerLimits limits, WorkerServices services, RungSink& rungs);
  ~Worker();  // close() first
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // From now on it makes this; a process that makes another ladder is drained and replaced.
  void make(const media::Ladder& ladder);
  // Nothing is to be made: a process is drained and ends.
  void rest();

  void track(std::shared_ptr<const media::Track> track);
  void packet(const media::Packet& packet, SegmentStart start);
  void discontinuity();

  // Drains within WorkerLimits::drain; what comes out meanwhile still goes to the rungs.
  Task<> close();
  void fill(WorkerFacts& facts) const;

 private:
  struct Life;  // of one process
  struct Series;
  Task<> supervise();
  // How the process ended.
  Task<std::string> live(ChildProcess& child, const media::Ladder& ladder,
                         DeviceLoad::Place& place);
  Task<> write(Life& life, media::Ladder ladder);
  Task<> send(Life& life, wire::ToWorker message);
  Task<> read(Life& life);
  Task<> watch(Life& life);
  void take(Life& life, wire::FromWorker message);
  void take_device(Life& life, std::string device);
  void take_heartbeat(Life& life, wire::Heartbeat& heartbeat);
  void end_soon(Life& life);
  void wake();

  ChildProgram program_;
  WorkerLimits limits_;
  WorkerServices services_;
  RungSink& rungs_;
  std::unique_ptr<Series> series_;
  WorkerQueue queue_;
  WorkerRestarts restarts_;
  std::optional<media::Ladder> wanted_;
  bool supervised_ = false;
  Life* life_ = nullptr;
  bool told_of_delay_ = false;
  std::uint64_t dropped_told_ = 0;
  WorkerFacts facts_;
  boost::asio::steady_timer pause_;  // between two lives; cancelled when what is wanted changes
  std::unique_ptr<TaskGroup> tasks_;
};

}  // namespace kapok::channel
