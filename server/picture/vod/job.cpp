#include "server/picture/vod/job.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <utility>

#include "server/base/overloaded.hpp"
#include "server/picture/channel/worker_link.hpp"
#include "server/picture/wire/reader.hpp"

namespace kapok::vod {

namespace {

constexpr nanoseconds kClosed = seconds(2);  // a process that has closed its socket is about to end
constexpr nanoseconds kLongestWait = seconds(30);
constexpr nanoseconds kMeasured = seconds(20);  // speed is that of so long
constexpr nanoseconds kLook = milliseconds(500);

double in_seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

struct Job::Life {
  channel::ChildProcess& child;
  Assembly assembly;
  std::vector<media::AudioRung> sounds;  // the rungs that it was sent
  channel::Silence silence;
  MonoTime told;
  boost::asio::steady_timer tick;
  bool over = false;
  bool hung = false;
  bool drained = false;
  bool unfit = false;               // the file has sounds that it makes no rungs of
  std::optional<Error> error = {};  // ours, or of what it said
  std::optional<wire::FileRefused> refused = {};
};

Job::Job(const JobSettings& settings, ItemRecord& record, ItemFolder& folder,
         std::filesystem::path record_folder)
    : settings_(settings),
      record_(record),
      folder_(folder),
      record_folder_(std::move(record_folder)),
      log_(settings.log.with("item", record.request.id)),
      pause_(settings.home) {}

void Job::cancel() {
  cancelled_ = true;
  if (child_ != nullptr) child_->kill();
  pause_.cancel();
}

Task<> Job::pause(nanoseconds wait) {
  pause_.expires_after(wait);
  [[maybe_unused]] auto [error] = co_await pause_.async_wait(kAsValue);
}

// Another file under the same name is another item: nothing of the old one may stand in it.
Result<packaging::FileHandle> Job::open_file() {
  auto file = KAPOK_TRY(open_import(settings_.import_folder, record_.request.file));
  if (record_.identity != file.identity) {
    if (!folder_.empty())
      log_.warn("vod.file_changed",
                {{"file", record_.request.file}, {"effect", "it is begun anew"}});
    record_.identity = file.identity;
    record_.source_left_out.clear();
    record_.sounds.reset();
    KAPOK_TRY(start_over());
  }
  return std::move(file.handle);
}

Result<void> Job::start_over() {
  record_.leading.clear();
  KAPOK_TRY(folder_.start_over(
      static_cast<std::uint32_t>(settings_.clock.utc().time_since_epoch().count() / 1'000'000),
      settings_.segment));
  return write_record(record_folder_, record_);
}

// What every rendition has whole stays; the next worker goes on behind it.
Result<void> Job::prepare() {
  kept_ = folder_.kept(record_.leading);
  if (!kept_.end) kept_ = {};
  KAPOK_TRY(folder_.rewind(kept_.segments));
  segments_ = kept_.segments;
  if (kept_.segments > 0)
    log_.info("vod.resumed", {{"segment", kept_.segments + 1},
                              {"at_ms", (*kept_.end - wire::kFileBegin).count() / 1'000'000}});
  return {};
}

Task<Result<void>> Job::run() {
  while (!cancelled_) {
    auto file = open_file();
    if (!file) co_return std::unexpected(std::move(file).error());
    if (auto prepared = prepare(); !prepared) co_return prepared;
    Ended ended = co_await attempt(std::move(*file));
    if (ended.whole) co_return Result<void>();
    if (cancelled_) break;
    if (ended.again == Again::no) co_return std::unexpected(std::move(ended.why));
    if (ended.again == Again::at_once) continue;
    ++restarts_;
    failures_ = segments_ > kept_.segments ? 1 : failures_ + 1;
    if (failures_ >= settings_.most_failures)
      co_return fail(Errc::malformed,
                     "the worker ended {} times in a row behind segment {} ({}): the file is "
                     "damaged there, or this machine has too little memory for the ladder",
                     failures_, segments_, ended.why.message);
    const nanoseconds wait =
        std::min(settings_.first_wait * (1 << std::min(failures_ - 1, 5U)), kLongestWait);
    log_.error("vod.worker_failed",
               {{"how", ended.why.message},
                {"segments", segments_},
                {"again_in_ms", std::chrono::duration_cast<milliseconds>(wait).count()}});
    co_await pause(wait);
  }
  co_return fail(Errc::closed, "it was cancelled");
}

Task<Job::Ended> Job::attempt(packaging::FileHandle file) {
  channel::ChildProgram program = settings_.transcoder;
  program.input = file.get();
  auto child = channel::ChildProcess::spawn(settings_.home, program);
  if (!child) co_return Ended{Again::later, std::move(child).error(), false};
  const MonoTime now = settings_.clock.mono();
  Life life{.child = *child,
            .assembly = Assembly(folder_, record_.request.ladder, kept_.segments),
            .sounds = record_.sounds.value_or(record_.request.ladder.audio),
            .silence = {now, kLook},
            .told = now,
            .tick = boost::asio::steady_timer(settings_.home)};
  child_ = &*child;
  marks_.clear();
  log_.info("vod.started", {{"pid", child->pid()}, {"file", record_.request.file}});
  TaskGroup group(settings_.home);
  group.spawn(watch(life));
  wire::FileStart start;
  if (kept_.end) start.from = *kept_.end;
  start.segment = settings_.segment;
  start.ceiling = 3 * settings_.segment;
  start.publish_source = record_.request.publish_source && record_.source_left_out.empty();
  bool sent = co_await send(life, wire::Hello{});
  media::Ladder ladder = record_.request.ladder;
  ladder.audio = life.sounds;
  if (sent) sent = co_await send(life, std::move(ladder));
  if (sent) sent = co_await send(life, start);
  if (!cancelled_) co_await read(life);
  life.over = true;
  life.tick.cancel();
  std::string how = co_await channel::end(*child, kClosed);
  child_ = nullptr;
  co_await group.drain();
  segments_ = life.assembly.segments();
  left_out_ = life.assembly.left_out();
  speed_ = 0;
  co_return judge(life, std::move(how));
}

Job::Ended Job::judge(Life& life, std::string how) {
  if (life.error) {
    const bool ours = life.error->code == Errc::full || life.error->code == Errc::unsupported;
    if (life.error->code == Errc::full)
      life.error->message += ": make room under data.dir, then ask for the item again";
    return {ours ? Again::no : Again::later, std::move(*life.error), false};
  }
  if (life.refused && life.refused->why == wire::FileRefused::Why::source_unfit) {
    log_.warn("vod.source_left_out", {{"why", life.refused->text}});
    record_.source_left_out = life.refused->text;
    auto anew = start_over();
    if (!anew) return {Again::no, std::move(anew).error(), false};
    return {Again::at_once, {}, false};
  }
  if (life.unfit) return {Again::at_once, {}, false};
  if (life.refused) return {Again::no, {Errc::unsupported, life.refused->text}, false};
  if (life.drained) {
    auto finished = life.assembly.finish();
    left_out_ = life.assembly.left_out();
    segments_ = life.assembly.segments();
    made_ = life.assembly.made();
    if (finished) return {Again::no, {}, true};
    return {Again::later, std::move(finished).error(), false};
  }
  if (life.hung) how = "it gave no sign of life";
  return {Again::later, {Errc::io, std::move(how)}, false};
}

Task<bool> Job::send(Life& life, wire::ToWorker message) {
  const auto sent = co_await channel::send(life.child, std::move(message));
  if (!sent && sent.error().code != Errc::closed) life.error = sent.error();
  co_return sent.has_value();
}

Task<> Job::read(Life& life) {
  wire::Reader<wire::FromWorker> reader;
  std::vector<wire::FromWorker> messages;
  while (true) {
    const auto room = reader.room();
    const auto [error, size] = co_await life.child.socket().async_read_some(
        boost::asio::buffer(room.data(), room.size()), kAsValue);
    if (error) co_return;
    messages.clear();
    Result<void> taken = reader.filled(size, messages);
    life.silence.hear(settings_.clock.mono());
    for (wire::FromWorker& message : messages)
      if (taken && !life.unfit) taken = take(life, std::move(message));
    if (!taken) {
      life.error = std::move(taken).error();
      life.child.kill();
      co_return;
    }
    if (life.unfit) life.child.kill();
    if (life.unfit || life.drained || life.refused) co_return;
    tell_progress(life);
  }
}

// A worker has its ladder before it has looked into the file, with rungs of the first sound. If
// there are more, or the ladder has rungs of none, this was a look, and the next worker, which is
// told of them, makes them all.
Result<void> Job::settle(Life& life) {
  const std::vector<media::AudioRung>& wanted = life.assembly.sounds();
  const auto is_sent = [&](const media::AudioRung& rung) {
    return std::ranges::find(life.sounds, rung) != life.sounds.end();
  };
  life.unfit = record_.sounds ? life.sounds != wanted : !std::ranges::all_of(wanted, is_sent);
  if (!life.unfit && record_.sounds == wanted && record_.leading == life.assembly.leading())
    return {};
  record_.sounds = wanted;
  record_.leading = life.assembly.leading();
  if (!life.unfit) return write_record(record_folder_, record_);
  std::string rungs;
  for (const media::AudioRung& rung : wanted) rungs += (rungs.empty() ? "" : " ") + rung.name;
  log_.info("vod.sounds", {{"rungs", rungs}});
  // The segments that there are have nothing of them.
  return start_over();
}

Result<void> Job::take(Life& life, wire::FromWorker message) {
  const auto segment = [&](wire::FileSegment& begins) -> Result<void> {
    KAPOK_TRY(life.assembly.take(begins));
    return settle(life);
  };
  return std::visit(
      Overloaded{[&](wire::FileOpened& opened) -> Result<void> {
                   duration_ = opened.duration;
                   return {};
                 },
                 [&](wire::FileTrack& track) { return life.assembly.take(track); },
                 [&](wire::FilePacket& packet) { return life.assembly.take(packet); }, segment,
                 [&](wire::RungTrack& track) { return life.assembly.take(track); },
                 [&](wire::RungPacket& packet) { return life.assembly.take(std::move(packet)); },
                 [&](media::Image& image) { return life.assembly.take(image); },
                 [&](wire::FileRefused& refused) -> Result<void> {
                   life.refused = std::move(refused);
                   return {};
                 },
                 [&](wire::Notice& said) -> Result<void> {
                   channel::log_notice(log_, "vod.notice", said);
                   return {};
                 },
                 [&](wire::Drained&) -> Result<void> {
                   life.drained = true;
                   return {};
                 },
                 [](const auto&) -> Result<void> { return {}; }},
      message);
}

void Job::measure(MonoTime now) {
  marks_.push_back({now, made_});
  while (marks_.size() > 2 && now - marks_.front().at > kMeasured) marks_.pop_front();
  const nanoseconds passed = now - marks_.front().at;
  if (passed > kLook) speed_ = in_seconds(made_ - marks_.front().made) / in_seconds(passed);
}

void Job::tell_progress(Life& life) {
  const MonoTime now = settings_.clock.mono();
  if (!marks_.empty() && now - marks_.back().at < kLook) return;
  made_ = life.assembly.made();
  segments_ = life.assembly.segments();
  left_out_ = life.assembly.left_out();
  frame_rate_ = life.assembly.frame_rate();
  measure(now);
  if (now - life.told < settings_.progress_every) return;
  life.told = now;
  ItemFacts facts;
  fill(facts);
  log_.info("vod.progress",
            {{"percent", fmt::format("{:.1f}", facts.percent())},
             {"fps", fmt::format("{:.1f}", facts.frames_per_second)},
             {"speed", fmt::format("{:.2f}", facts.speed)},
             {"eta_s", facts.left ? std::chrono::duration_cast<seconds>(*facts.left).count() : -1},
             {"segments", facts.segments}});
}

Task<> Job::watch(Life& life) {
  while (!life.over) {
    life.tick.expires_after(kLook);
    [[maybe_unused]] auto [error] = co_await life.tick.async_wait(kAsValue);
    if (life.over) co_return;
    const nanoseconds silent = life.silence.look(settings_.clock.mono());
    if (silent < settings_.silence) continue;
    life.hung = true;
    log_.error("vod.worker_hung",
               {{"pid", life.child.pid()},
                {"silent_ms", std::chrono::duration_cast<milliseconds>(silent).count()}});
    life.child.kill();
    co_return;
  }
}

void Job::fill(ItemFacts& facts) const {
  facts.duration = duration_;
  facts.made = made_;
  facts.segments = segments_;
  facts.left_out = left_out_;
  facts.speed = speed_;
  facts.frames_per_second = speed_ * (frame_rate_.numerator == 0 ? 0 : frame_rate_.value());
  facts.restarts = restarts_;
  if (speed_ > 0 && duration_ > made_)
    facts.left = nanoseconds(
        static_cast<std::int64_t>(static_cast<double>((duration_ - made_).count()) / speed_));
}

}  // namespace kapok::vod
