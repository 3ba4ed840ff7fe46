// An item on its way: a worker started with the file's descriptor, heard, watched, and started
// again where every rendition was whole, until the item is made or there is no use in another try.
// On the library's thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "server/base/log.hpp"
#include "server/base/task.hpp"
#include "server/picture/channel/child_process.hpp"
#include "server/picture/vod/assembly.hpp"
#include "server/picture/vod/item_folder.hpp"
#include "server/picture/vod/item_record.hpp"

namespace kapok::vod {

struct JobSettings {
  boost::asio::any_io_executor home;
  const Clock& clock;
  Log log;
  channel::ChildProgram transcoder;  // without input
  std::filesystem::path import_folder;
  milliseconds segment{4'000};
  // Heartbeats come twice a second, and go on while a slow encoder works.
  nanoseconds silence = seconds(30);
  nanoseconds progress_every = seconds(10);
  // After so many ends of a worker without a new segment in between the file is given up.
  unsigned most_failures = 5;
  nanoseconds first_wait = seconds(1);
};

class Job {
 public:
  // `record` and `folder` are the caller's and outlive it; the record's state and error are not
  // touched.
  Job(const JobSettings& settings, ItemRecord& record, ItemFolder& folder,
      std::filesystem::path record_folder);
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Until the item is whole. Errors: closed (cancelled), or why it cannot be made, with a remedy.
  Task<Result<void>> run();
  // The worker is killed, and run() returns.
  void cancel();
  void fill(ItemFacts& facts) const;

 private:
  struct Life;  // of one worker
  enum class Again : std::uint8_t { no, at_once, later };
  struct Ended {
    Again again = Again::no;
    Error why;
    bool whole = false;
  };
  Result<packaging::FileHandle> open_file();
  Result<void> prepare();
  Task<Ended> attempt(packaging::FileHandle file);
  Task<bool> send(Life& life, wire::ToWorker message);
  Task<> read(Life& life);
  Task<> watch(Life& life);
  Result<void> take(Life& life, wire::FromWorker message);
  // What is known once the first segment begins: above all, of which sounds there shall be rungs.
  Result<void> settle(Life& life);
  Result<void> start_over();
  void tell_progress(Life& life);
  void measure(MonoTime now);
  Ended judge(Life& life, std::string how);
  Task<> pause(nanoseconds wait);

  const JobSettings& settings_;
  ItemRecord& record_;
  ItemFolder& folder_;
  const std::filesystem::path record_folder_;
  const Log log_;
  bool cancelled_ = false;
  channel::ChildProcess* child_ = nullptr;
  boost::asio::steady_timer pause_;

  ItemFolder::Kept kept_;  // before the worker that runs
  unsigned failures_ = 0;  // in a row, without a new segment
  std::uint64_t restarts_ = 0;
  nanoseconds duration_{0};
  nanoseconds made_{0};
  std::uint64_t segments_ = 0;
  std::vector<media::RungLeftOut> left_out_;
  media::Rational frame_rate_;
  double speed_ = 0;
  struct Mark {
    MonoTime at;
    nanoseconds made{0};
  };
  std::deque<Mark> marks_;  // of late
};

}  // namespace kapok::vod
