#include "server/hours/ledger/ledger.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <future>

namespace kapok::ledger {

Result<std::unique_ptr<Ledger>> Ledger::open(
    LedgerConfig config, std::vector<std::unique_ptr<const NoteSigner>> more_signers, Log log,
    Metrics& metrics) {
  if (config.key.empty()) {
    config.key = config.directory;
    config.key += ".key";
  }
  std::error_code ignored;
  std::filesystem::create_directories(config.key.parent_path(), ignored);
  Ed25519Signer signer = KAPOK_TRY(Ed25519Signer::load_or_create(config.key, config.origin));
  const Ed25519Verifier verifier = signer.verifier();
  LogFiles files = KAPOK_TRY(LogFiles::open(config.directory, verifier));
  std::unique_ptr<Ledger> ledger(
      new Ledger(std::move(config), std::move(files), verifier, std::move(log), metrics));
  ledger->signers_.push_back(std::make_unique<Ed25519Signer>(std::move(signer)));
  for (auto& more : more_signers) ledger->signers_.push_back(std::move(more));
  ledger->source_ = KAPOK_TRY(open_log(ledger->config_.directory));
  KAPOK_TRY(ledger->publish());
  KAPOK_TRY(ledger->find_last_texts());
  const Recovery& recovery = ledger->recovery_;
  ledger->log_.info("ledger.opened", {{"size", recovery.size},
                                      {"signed", recovery.checkpoint_size},
                                      {"torn_bytes", recovery.torn_bytes},
                                      {"rebuilt_hashes", recovery.rebuilt_hashes},
                                      {"verifier", ledger->verifier_.text()}});
  ledger->thread_ = std::thread([raw = ledger.get()] { raw->run(); });
  ::pthread_setname_np(ledger->thread_.native_handle(), "ledger");
  return ledger;
}

Ledger::Ledger(LedgerConfig config, LogFiles files, Ed25519Verifier verifier, Log log,
               Metrics& metrics)
    : config_(std::move(config)),
      files_(std::move(files)),
      recovery_(files_.recovery()),
      verifier_(std::move(verifier)),
      log_(std::move(log)),
      leaves_total_(metrics.counter("kapok_ledger_leaves_total", "Leaves made durable", {})),
      refused_total_(
          metrics.counter("kapok_ledger_refused_total", "Leaves refused (full queue or disk)", {})),
      commits_total_(metrics.counter("kapok_ledger_commits_total", "Group commits", {})),
      size_gauge_(metrics.gauge("kapok_ledger_size", "Leaves under the checkpoint", {})) {}

Ledger::~Ledger() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Result<void> Ledger::append(std::vector<Leaf> leaves, OnDurable on_durable) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(Errc::closed, "the ledger is closing");
    if (waiting_leaves_ + leaves.size() > config_.max_waiting) {
      refused_total_.add(static_cast<double>(leaves.size()));
      return fail(Errc::full, "{} leaves wait for the disk already", waiting_leaves_);
    }
    waiting_leaves_ += leaves.size();
    waiting_.push_back({std::move(leaves), std::move(on_durable)});
  }
  wake_.notify_one();
  return {};
}

void Ledger::run() {
  auto signed_at = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    const auto has_work = [this] {
      return stopping_ || !waiting_.empty() || flushes_wanted_ > flushes_done_;
    };
    if (unsigned_leaves_)
      wake_.wait_until(lock, signed_at + config_.checkpoint_every, has_work);
    else
      wake_.wait(lock, has_work);
    // Company is waited for, unless somebody wants it now or the batch is large.
    const auto is_urgent = [this] {
      return stopping_ || flushes_wanted_ > flushes_done_ ||
             waiting_leaves_ >= config_.max_waiting / 8;
    };
    if (!waiting_.empty()) wake_.wait_for(lock, config_.batch, is_urgent);

    const bool stop = stopping_;
    const std::uint64_t flushes = flushes_wanted_;
    const bool flush = flushes > flushes_done_;
    std::deque<Job> jobs = std::exchange(waiting_, {});
    waiting_leaves_ = 0;
    lock.unlock();
    if (!jobs.empty()) commit(std::move(jobs));
    Result<void> result;
    const auto now = std::chrono::steady_clock::now();
    if (unsigned_leaves_ && (stop || flush || now - signed_at >= config_.checkpoint_every)) {
      result = publish();
      signed_at = now;
      if (!result) log_.error("ledger.checkpoint_failed", {{"cause", result.error().message}});
    }
    if (result && disk_failing_) result = fail(Errc::full, "the last batch could not be written");
    lock.lock();
    if (flush) {
      flush_result_ = result;
      flushes_done_ = flushes;
      flushed_.notify_all();
    }
    if (stop && waiting_.empty()) return;
  }
}

void Ledger::commit(std::deque<Job> jobs) {
  std::size_t count = 0;
  for (const Job& job : jobs) count += job.leaves.size();
  // One call for all salts: the generator's lock and reseed check cost more than the bytes.
  std::vector<std::byte> salts(count * sizeof(Id16));
  fill_random(salts);
  encoded_.clear();
  encoded_.reserve(count);
  for (Job& job : jobs)
    for (Leaf& leaf : job.leaves) {
      std::memcpy(leaf.salt.data(), salts.data() + encoded_.size() * sizeof(Id16), sizeof(Id16));
      encoded_.push_back(encode(leaf));
    }
  Result<std::uint64_t> first = files_.append(encoded_);
  if (!first) {
    refused_total_.add(static_cast<double>(count));
    if (!disk_failing_)
      log_.error("ledger.write_failed", {{"cause", first.error().message},
                                         {"leaves", count},
                                         {"remedy", "make room on the ledger's disk"}});
    disk_failing_ = true;
  } else {
    if (disk_failing_) log_.info("ledger.write_recovered", {{"size", files_.size()}});
    disk_failing_ = false;
    unsigned_leaves_ = true;
    leaves_total_.add(static_cast<double>(count));
    commits_total_.increment();
  }
  for (Job& job : jobs) {
    if (job.on_durable) job.on_durable(first);
    if (first) *first += job.leaves.size();
  }
}

Result<void> Ledger::publish() {
  auto published = std::make_shared<PublishedCheckpoint>();
  published->checkpoint = KAPOK_TRY(files_.publish(signers_, published->note));
  unsigned_leaves_ = false;
  size_gauge_.set(static_cast<double>(published->checkpoint.size));
  const std::lock_guard lock(mutex_);
  published_ = std::move(published);
  return {};
}

Result<void> Ledger::flush() {
  std::unique_lock lock(mutex_);
  if (stopping_) return fail(Errc::closed, "the ledger is closing");
  const std::uint64_t mine = ++flushes_wanted_;
  wake_.notify_one();
  flushed_.wait(lock, [&] { return flushes_done_ >= mine; });
  return flush_result_;
}

std::shared_ptr<const PublishedCheckpoint> Ledger::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

Result<Bytes> Ledger::read_tile(const TilePath& path) const {
  const std::uint64_t width = tile_width_at(path, published()->checkpoint.size);
  if (path.width > width) return fail(Errc::not_found, "tile/{} is not there yet", to_string(path));
  return source_->read_tile(path);
}

namespace {

std::filesystem::path last_texts_path(const std::filesystem::path& directory) {
  return directory / "texts" / "last";
}

}  // namespace

// Which texts are in force stands in texts/last: two hashes. It is only a shortcut; it is taken
// away before a text is recorded, so that a crash in between leaves the log itself to be asked.
Result<void> Ledger::find_last_texts() {
  const Result<Bytes> last = read_small_file(last_texts_path(config_.directory), 4096);
  if (last && last->size() == last_rule_set_.size() + last_catalogue_.size()) {
    std::memcpy(last_rule_set_.data(), last->data(), last_rule_set_.size());
    std::memcpy(last_catalogue_.data(), last->data() + last_rule_set_.size(),
                last_catalogue_.size());
    return {};
  }
  return scan_for_last_texts();
}

Result<void> Ledger::scan_for_last_texts() {
  bool rule_set = false;
  bool catalogue = false;
  for (std::uint64_t bundle = (files_.size() + kTileWidth - 1) / kTileWidth;
       bundle-- > 0 && !(rule_set && catalogue);) {
    const std::uint64_t from = bundle * kTileWidth;
    const std::uint64_t to = std::min(from + kTileWidth, files_.size());
    std::optional<Digest256> found_rules;
    std::optional<Digest256> found_catalogue;
    const auto look = [&](std::uint64_t, ByteSpan entry) -> Result<void> {
      const Leaf leaf = KAPOK_TRY(decode_leaf(entry));
      if (leaf.kind == LeafKind::rule_set) found_rules = leaf.sha256;
      if (leaf.kind == LeafKind::catalogue) found_catalogue = leaf.sha256;
      return {};
    };
    KAPOK_TRY(for_each_entry(*source_, from, to, look));
    if (!rule_set && found_rules) last_rule_set_ = *found_rules;
    if (!catalogue && found_catalogue) last_catalogue_ = *found_catalogue;
    rule_set = rule_set || found_rules;
    catalogue = catalogue || found_catalogue;
  }
  return {};
}

Result<void> Ledger::record_text(LeafKind kind, std::string_view text, std::uint16_t rule_set,
                                 UtcTime now) {
  const Digest256 hash = sha256(as_bytes(text));
  Digest256& last = kind == LeafKind::rule_set ? last_rule_set_ : last_catalogue_;
  if (hash == last) return {};
  std::error_code ignored;
  std::filesystem::remove(last_texts_path(config_.directory), ignored);
  KAPOK_TRY(sync_folder(config_.directory / "texts"));
  KAPOK_TRY(files_.store_text(text));
  Leaf leaf;
  leaf.kind = kind;
  leaf.sha256 = hash;
  leaf.rule_set = rule_set;
  leaf.opened_ms = leaf.closed_ms =
      std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
  std::promise<Result<std::uint64_t>> done;
  KAPOK_TRY(append({leaf}, [&done](Result<std::uint64_t> first) { done.set_value(first); }));
  KAPOK_TRY(done.get_future().get());
  last = hash;
  Bytes both(last_rule_set_.begin(), last_rule_set_.end());
  both.insert(both.end(), last_catalogue_.begin(), last_catalogue_.end());
  return replace_file(last_texts_path(config_.directory), both, 0644);
}

}  // namespace kapok::ledger
