#include "server/picture/channel/worker.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cassert>
#include <utility>

#include "server/base/overloaded.hpp"
#include "server/picture/channel/worker_link.hpp"
#include "server/picture/wire/reader.hpp"

namespace kapok::channel {
namespace {

// A process that has closed its socket is about to end.
constexpr nanoseconds kClosed = seconds(1);

}  // namespace

std::string_view name_of(WorkerState state) {
  switch (state) {
    case WorkerState::idle:
      return "idle";
    case WorkerState::starting:
      return "starting";
    case WorkerState::running:
      return "running";
    case WorkerState::waiting:
      return "waiting";
    case WorkerState::draining:
      return "draining";
  }
  return "idle";
}

struct Worker::Series {
  Gauge& up;
  Gauge& loop;
  Gauge& queue_bytes;
  Gauge& behind;
  Gauge& memory;
  Counter& starts;
  Counter& restarts;
  Counter& hangs;
  Counter& dropped;
  Counter& decoded;
  Counter& errors;
  Counter& cpu;
  Series(Metrics& metrics, const MetricLabels& channel)
      : up(metrics.gauge("kapok_worker_up", "1 while the channel's transcoder runs", channel)),
        loop(metrics.gauge("kapok_worker_crash_loop",
                           "1 while the transcoder ends again and again soon after its start",
                           channel)),
        queue_bytes(metrics.gauge("kapok_worker_queue_bytes",
                                  "Source packets that wait for the transcoder's socket", channel)),
        behind(metrics.gauge("kapok_worker_behind_seconds",
                             "Media time of source packets in the transcoder, not decoded yet",
                             channel)),
        memory(metrics.gauge("kapok_worker_resident_bytes", "The transcoder's memory in RAM",
                             channel)),
        starts(
            metrics.counter("kapok_worker_starts_total", "Transcoder processes started", channel)),
        restarts(metrics.counter("kapok_worker_restarts_total",
                                 "Of them, those that replaced one that had ended by itself",
                                 channel)),
        hangs(metrics.counter("kapok_worker_hangs_total",
                              "Transcoders killed because they gave no sign of life", channel)),
        dropped(metrics.counter("kapok_worker_dropped_packets_total",
                                "Source packets that a slow transcoder did not get", channel)),
        decoded(metrics.counter("kapok_worker_decoded_frames_total",
                                "Frames of the source that were decoded", channel)),
        errors(metrics.counter("kapok_worker_decode_errors_total",
                               "Broken packets and frames of the source", channel)),
        cpu(metrics.counter("kapok_worker_cpu_seconds_total", "CPU time of transcoders", channel)) {
  }
};

struct Worker::Life {
  ChildProcess& child;
  DeviceLoad::Place& place;
  const MonoTime began;
  const nanoseconds step;  // between two looks
  Silence silence{began, step};
  boost::asio::steady_timer more;  // cancelled when the writer has something to look at
  boost::asio::steady_timer tick;
  bool ready = false;     // it has told its version
  bool over = false;      // its socket is at its end
  bool last_one = false;  // it is to drain and end
  std::optional<MonoTime> drain_until = {};
  wire::Heartbeat last = {};
  std::string complaint = {};  // of one that is not ready: why it will end
};

Worker::Worker(ChildProgram program, WorkerLimits limits, WorkerServices services, RungSink& rungs)
    : program_(std::move(program)),
      limits_(limits),
      services_(std::move(services)),
      rungs_(rungs),
      series_(std::make_unique<Series>(services_.metrics,
                                       MetricLabels{{"channel", services_.channel}})),
      queue_(limits.queue),
      pause_(services_.home),
      tasks_(std::make_unique<TaskGroup>(services_.home)) {}

Worker::~Worker() {
  assert(life_ == nullptr && "close() the worker first");
}

void Worker::make(const media::Ladder& ladder) {
  if (wanted_ == ladder) return;
  wanted_ = ladder;
  restarts_.settled();
  if (!std::exchange(supervised_, true))
    tasks_->spawn(supervise());
  else if (life_ != nullptr)
    end_soon(*life_);
  pause_.cancel();
}

void Worker::rest() {
  wanted_.reset();
  if (life_ != nullptr) end_soon(*life_);
  pause_.cancel();
}

void Worker::end_soon(Life& life) {
  if (std::exchange(life.last_one, true)) return;
  life.drain_until = services_.clock.mono() + limits_.drain;
  facts_.state = WorkerState::draining;
  life.more.cancel();
}

void Worker::track(std::shared_ptr<const media::Track> track) {
  queue_.track(std::move(track));
  wake();
}

void Worker::packet(const media::Packet& packet, SegmentStart start) {
  if (life_ == nullptr || life_->last_one) return;
  const bool was_behind = queue_.behind();
  queue_.packet(packet, start);
  if (queue_.behind() && !was_behind && !std::exchange(told_of_delay_, true))
    services_.log.warn("worker.behind",
                       {{"effect", "rungs miss segments"},
                        {"remedy", "a ladder of fewer or smaller rungs, or a faster preset"}});
  wake();
}

void Worker::discontinuity() {
  queue_.discontinuity();
  wake();
}

void Worker::wake() {
  if (life_ != nullptr) life_->more.cancel();
}

Task<> Worker::close() {
  rest();
  co_await tasks_->drain();
}

Task<> Worker::supervise() {
  while (wanted_) {
    const media::Ladder ladder = *wanted_;
    const MonoTime began = services_.clock.mono();
    facts_.state = WorkerState::starting;
    facts_.since = services_.clock.utc();
    ++facts_.starts;
    series_->starts.increment();
    std::string how;
    bool asked = false;
    std::optional<DeviceLoad::Place> place(services_.devices->enter());
    ChildProgram program = program_;
    if (!place->others().empty()) {
      program.arguments.emplace_back("--busy");
      program.arguments.push_back(place->others());
    }
    auto child = ChildProcess::spawn(services_.home, program);
    if (child) {
      services_.log.info("worker.started", {{"pid", child->pid()},
                                            {"ladder", ladder.name},
                                            {"rungs", ladder.video.size() + ladder.audio.size()}});
      how = co_await live(*child, ladder, *place);
      asked = facts_.state == WorkerState::draining;
    } else {
      how = child.error().message;
    }
    place.reset();
    facts_.pid = 0;
    facts_.last_end = how;
    if (asked) {
      services_.log.info("worker.ended", {{"how", how}});
      continue;
    }
    const nanoseconds lived = services_.clock.mono() - began;
    const nanoseconds wait = restarts_.ended(lived);
    services_.log.error("worker.failed",
                        {{"how", how},
                         {"lived_ms", std::chrono::duration_cast<milliseconds>(lived).count()},
                         {"again_in_ms", std::chrono::duration_cast<milliseconds>(wait).count()}});
    if (restarts_.loops() && !std::exchange(facts_.crash_loop, true)) {
      series_->loop.set(1);
      services_.log.error("worker.crash_loop",
                          {{"effect", "the source alone is published"},
                           {"remedy", "look at what the worker wrote before this line"}});
    }
    if (!wanted_) break;
    facts_.state = WorkerState::waiting;
    pause_.expires_after(wait);
    [[maybe_unused]] auto [error] = co_await pause_.async_wait(kAsValue);
    if (!wanted_) break;
    ++facts_.restarts;
    series_->restarts.increment();
  }
  facts_.state = WorkerState::idle;
  supervised_ = false;
}

Task<std::string> Worker::live(ChildProcess& child, const media::Ladder& ladder,
                               DeviceLoad::Place& place) {
  Life life{.child = child,
            .place = place,
            .began = services_.clock.mono(),
            .step = std::min<nanoseconds>(milliseconds(250), limits_.silence / 4),
            .more = boost::asio::steady_timer(services_.home,
                                              boost::asio::steady_timer::time_point::max()),
            .tick = boost::asio::steady_timer(services_.home)};
  life_ = &life;
  facts_.pid = child.pid();
  queue_.restart();
  told_of_delay_ = false;
  TaskGroup group(services_.home);
  group.spawn(write(life, ladder));
  group.spawn(watch(life));
  co_await read(life);
  life.over = true;
  life_ = nullptr;
  life.more.cancel();
  std::string how = co_await end(child, kClosed);
  boost::system::error_code ignored;
  child.socket().close(ignored);
  life.tick.cancel();
  co_await group.drain();
  queue_.restart();
  series_->up.set(0);
  series_->memory.set(0);
  rungs_.worker_ended();
  if (!life.complaint.empty()) co_return fmt::format("{}: {}", how, life.complaint);
  co_return how;
}

Task<> Worker::send(Life& life, wire::ToWorker message) {
  const auto sent = co_await channel::send(life.child, std::move(message));
  if (!sent && sent.error().code != Errc::closed)
    services_.log.error("worker.not_sent", {{"why", sent.error().message}});
}

Task<> Worker::write(Life& life, media::Ladder ladder) {
  co_await send(life, wire::Hello{});
  co_await send(life, std::move(ladder));
  bool drained = false;
  while (!life.over && !drained) {
    if (!life.ready || (queue_.empty() && !life.last_one)) {
      [[maybe_unused]] auto [error] = co_await life.more.async_wait(kAsValue);
    } else if (auto next = queue_.pop()) {
      co_await send(life, std::move(*next));
    } else {
      co_await send(life, wire::Drain{});
      drained = true;
    }
  }
}

Task<> Worker::read(Life& life) {
  wire::Reader<wire::FromWorker> reader;
  std::vector<wire::FromWorker> messages;
  while (true) {
    const auto room = reader.room();
    const auto [error, size] = co_await life.child.socket().async_read_some(
        boost::asio::buffer(room.data(), room.size()), kAsValue);
    if (error) co_return;
    messages.clear();
    const auto filled = reader.filled(size, messages);
    for (wire::FromWorker& message : messages) take(life, std::move(message));
    if (filled) continue;
    services_.log.error("worker.not_understood", {{"why", filled.error().message}});
    life.child.kill();
    co_return;
  }
}

void Worker::take(Life& life, wire::FromWorker message) {
  std::visit(
      Overloaded{
          [&](wire::WorkerHello& hello) {
            if (hello.device.empty()) return;  // why it cannot begin follows
            services_.log.info(
                "worker.ready",
                {{"pid", life.child.pid()}, {"engine", hello.engine}, {"device", hello.device}});
            life.ready = true;
            life.silence.hear(services_.clock.mono());
            facts_.engine = std::move(hello.engine);
            take_device(life, std::move(hello.device));
            if (!life.last_one) facts_.state = WorkerState::running;
            series_->up.set(1);
            life.more.cancel();
          },
          [&](wire::RungTrack& track) { rungs_.rung_track(track.rung, std::move(track.track)); },
          [&](wire::RungPacket& packet) {
            rungs_.rung_packet(packet.rung, std::move(packet.packet));
          },
          [&](wire::Heartbeat& heartbeat) { take_heartbeat(life, heartbeat); },
          [&](wire::Notice& notice) {
            if (!life.ready && notice.level == LogLevel::error) life.complaint = notice.text;
            log_notice(services_.log, "worker.notice", notice);
          },
          [&](const media::AnomalyEvent& event) { rungs_.anomaly(event); },
          [&](media::Image& image) { rungs_.image(std::move(image)); },
          [&](wire::Drained&) {},  // its end follows
          [&](const auto&) {       // about a file, which a channel has not
            services_.log.error("worker.not_understood", {{"why", "it speaks of a file"}});
            life.child.kill();
          },
      },
      message);
}

void Worker::take_device(Life& life, std::string device) {
  if (device.empty()) return;
  life.place.uses(device);
  facts_.device = std::move(device);
}

void Worker::take_heartbeat(Life& life, wire::Heartbeat& heartbeat) {
  life.silence.hear(services_.clock.mono());
  const auto grown = [](Counter& series, std::uint64_t& before, std::uint64_t now, double unit) {
    if (now > before) series.add(static_cast<double>(now - before) * unit);
    before = now;
  };
  grown(series_->decoded, life.last.decoded, heartbeat.decoded, 1);
  grown(series_->errors, life.last.decode_errors, heartbeat.decode_errors, 1);
  grown(series_->cpu, life.last.cpu_ms, heartbeat.cpu_ms, 1e-3);
  grown(series_->dropped, dropped_told_, queue_.dropped(), 1);
  series_->behind.set(heartbeat.waiting_ms * 1e-3);
  series_->memory.set(static_cast<double>(heartbeat.memory_bytes));
  series_->queue_bytes.set(static_cast<double>(queue_.bytes()));
  facts_.frames_decoded = heartbeat.decoded;
  facts_.decode_errors = heartbeat.decode_errors;
  facts_.behind = milliseconds(heartbeat.waiting_ms);
  for (const wire::RungProgress& rung : heartbeat.rungs) rungs_.rung_shed(rung.rung, rung.shed);
  take_device(life, std::move(heartbeat.device));
}

// Its signs of life, how long it drains, and whether it has settled.
Task<> Worker::watch(Life& life) {
  while (!life.over) {
    life.tick.expires_after(life.step);
    [[maybe_unused]] auto [error] = co_await life.tick.async_wait(kAsValue);
    if (life.over) break;
    const MonoTime now = services_.clock.mono();
    const nanoseconds silent = life.silence.look(now);
    if (life.drain_until) {
      if (now < *life.drain_until) continue;
      services_.log.warn("worker.drain_cut", {{"pid", life.child.pid()}});
      break;
    }
    if (silent > (life.ready ? limits_.silence : limits_.start)) {
      ++facts_.hangs;
      series_->hangs.increment();
      services_.log.error(
          "worker.hung", {{"pid", life.child.pid()},
                          {"silent_ms", std::chrono::duration_cast<milliseconds>(silent).count()}});
      break;
    }
    if (life.ready && now - life.began >= WorkerRestarts::kSettled) {
      restarts_.settled();
      if (std::exchange(facts_.crash_loop, false)) {
        series_->loop.set(0);
        services_.log.info("worker.settled");
      }
    }
  }
  if (!life.over) life.child.kill();
}

void Worker::fill(WorkerFacts& facts) const {
  facts = facts_;
  facts.queue_bytes = queue_.bytes();
  facts.queue = std::chrono::duration_cast<microseconds>(queue_.waiting());
  facts.dropped_packets = queue_.dropped();
}

}  // namespace kapok::channel
