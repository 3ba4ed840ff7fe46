#include "server/hours/metering/metering.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"

namespace kapok::metering {

namespace {

constexpr std::size_t kLeavesPerHandover = 10'000;
constexpr milliseconds kDrainPatience{5'000};

}  // namespace

Metering::Metering(MeteringConfig config, rules::RuleSet rules,
                   std::shared_ptr<const catalogue::Catalogue> catalogue,
                   std::shared_ptr<const access::TokenSigner> signer, ledger::LeafSink& ledger,
                   const Clock& clock, Log log, Metrics& metrics)
    : config_(config),
      signer_(std::move(signer)),
      ledger_(ledger),
      clock_(clock),
      log_(std::move(log)),
      facts_lost_(metrics.counter("kapok_metering_facts_lost_total",
                                  "Facts that did not fit the inbox", {})),
      beacons_total_(metrics.counter("kapok_metering_beacons_total", "Player reports taken", {})),
      beacons_repeated_(metrics.counter("kapok_metering_beacons_repeated_total",
                                        "Player reports that came again", {})),
      credited_seconds_(
          metrics.counter("kapok_metering_credited_seconds_total", "Viewing time credited", {})),
      sessions_gauge_(metrics.gauge("kapok_metering_sessions", "Sessions with accounts", {})),
      book_(config.book, rules, std::move(catalogue)),
      thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "metering");
}

Metering::~Metering() {
  drain(kDrainPatience);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  // The ledger may still hold our completions: they refer to this object.
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return in_ledger_ == 0; });
}

Result<SessionOffer> Metering::open_session(const SessionRequest& request) {
  if (!is_valid_id(request.channel)) return fail(Errc::malformed, "channel is not a valid name");
  access::SessionToken token;
  token.session = random_bytes<16>();
  token.household = request.household;
  token.channel = request.channel;
  token.region = request.region;
  token.issued = clock_.utc();
  token.expires = token.issued + config_.token_lifetime;
  SessionOffer offer;
  offer.session = to_hex(token.session);
  offer.token = signer_->issue(token);
  offer.base = fmt::format("/s/{}/", offer.token);
  offer.expires = token.expires;
  offer.beacon_interval = config_.beacon_interval;
  KAPOK_TRY(post(Opened{std::move(token), now()}));
  return offer;
}

Result<void> Metering::beacon(const BeaconReport& report) {
  access::SessionToken token = KAPOK_TRY(signer_->open(report.token, clock_.utc()));
  if (overloaded_.load(std::memory_order_relaxed) || refused_.load(std::memory_order_relaxed))
    return fail(Errc::full, "the ledger does not keep up; send the report again");
  KAPOK_TRY(post(Reported{std::move(token), report, now()}));
  beacons_total_.increment();
  return {};
}

void Metering::report(evidence::Fact fact) {
  // Sound earns nothing: it costs no lock.
  if (const auto* delivered = std::get_if<evidence::Delivered>(&fact);
      delivered != nullptr && !delivered->video)
    return;
  if (!post(Happened{std::move(fact), now()})) facts_lost_.increment();
}

void Metering::set_catalogue(std::shared_ptr<const catalogue::Catalogue> catalogue) {
  const Result<void> posted = post(std::move(catalogue));
  if (!posted) log_.error("metering.catalogue_refused", {{"cause", posted.error().message}});
}

Result<void> Metering::post(Message message) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (draining_ || stopping_) return fail(Errc::closed, "the server is closing");
    if (inbox_.size() >= config_.max_inbox) return fail(Errc::full, "too many facts are waiting");
    // Facts wait for the tick or for company; 10,000 viewers would otherwise wake us 100,000 times
    // a second.
    inbox_.push_back(std::move(message));
    wake = inbox_.size() == config_.max_inbox / 8;
  }
  if (wake) wake_.notify_one();
  return {};
}

void Metering::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, config_.tick, [this] {
      return stopping_ || rounds_wanted_ > rounds_done_ || inbox_.size() >= config_.max_inbox / 8;
    });
    const bool stop = stopping_;
    const bool close_all = draining_ && !closed_all_;
    const std::uint64_t rounds = rounds_wanted_;
    std::vector<Message> messages = std::exchange(inbox_, {});
    std::vector<ledger::Leaf> returned = std::exchange(returned_, {});
    lock.unlock();

    unwritten_.insert(unwritten_.begin(), returned.begin(), returned.end());
    process(std::move(messages));
    book_.tick(now());
    if (close_all) book_.close_all(now());
    const std::vector<ledger::Leaf> fresh = book_.take();
    for (const ledger::Leaf& leaf : fresh)
      if (leaf.kind == ledger::LeafKind::view) credited_seconds_.add(leaf.credit_ms / 1000.0);
    unwritten_.insert(unwritten_.end(), fresh.begin(), fresh.end());
    write_leaves();
    sessions_gauge_.set(static_cast<double>(book_.sessions()));
    auto open = book_.open_by_channel();

    lock.lock();
    open_sessions_ = std::move(open);
    if (close_all) closed_all_ = true;
    backlog_ = unwritten_.size();
    rounds_done_ = rounds;
    done_.notify_all();
    if (stop) return;
  }
}

void Metering::process(std::vector<Message> messages) {
  const std::uint64_t repeated = book_.counts().repeated;
  for (const Message& message : messages) {
    if (const auto* happened = std::get_if<Happened>(&message))
      book_.take_fact(happened->fact, happened->at);
    else if (const auto* reported = std::get_if<Reported>(&message))
      book_.reported(reported->token, reported->report, reported->at);
    else if (const auto* opened = std::get_if<Opened>(&message))
      book_.opened(opened->token, opened->at);
    else
      book_.set_catalogue(std::get<std::shared_ptr<const catalogue::Catalogue>>(message), now());
  }
  beacons_repeated_.add(static_cast<double>(book_.counts().repeated - repeated));
}

void Metering::write_leaves() {
  // One handover at a time while the ledger refuses: order is kept, and a full disk is not
  // hammered.
  while (!unwritten_.empty()) {
    const std::size_t count = std::min(unwritten_.size(), kLeavesPerHandover);
    std::vector<ledger::Leaf> leaves(unwritten_.begin(),
                                     unwritten_.begin() + static_cast<std::ptrdiff_t>(count));
    {
      const std::lock_guard lock(mutex_);
      in_ledger_ += count;
    }
    auto kept = std::make_shared<std::vector<ledger::Leaf>>(leaves);
    const Result<void> taken =
        ledger_.append(std::move(leaves), [this, kept](Result<std::uint64_t> first) {
          const std::lock_guard lock(mutex_);
          in_ledger_ -= kept->size();
          refused_.store(!first, std::memory_order_relaxed);
          // Never lost: offered again with the next round.
          if (!first) returned_.insert(returned_.end(), kept->begin(), kept->end());
          done_.notify_all();
        });
    if (!taken) {
      const std::lock_guard lock(mutex_);
      in_ledger_ -= count;
      refused_.store(true, std::memory_order_relaxed);
      break;
    }
    unwritten_.erase(unwritten_.begin(), unwritten_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  const bool overloaded = unwritten_.size() > config_.max_unwritten;
  if (overloaded != overloaded_.exchange(overloaded, std::memory_order_relaxed))
    log_.warn("metering.overloaded", {{"now", overloaded}, {"unwritten", unwritten_.size()}});
}

bool Metering::writing() const {
  return in_ledger_ > 0 || !returned_.empty() || backlog_ > 0;
}

std::map<std::string, std::uint64_t> Metering::open_sessions() const {
  const std::lock_guard lock(mutex_);
  return open_sessions_;
}

void Metering::settle() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++rounds_wanted_;
  wake_.notify_one();
  done_.wait(lock, [&] { return rounds_done_ >= mine; });
  done_.wait(lock, [&] { return in_ledger_ == 0; });
}

bool Metering::drain(milliseconds patience) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    const std::uint64_t mine = ++rounds_wanted_;
    wake_.notify_one();
    done_.wait(lock, [&] { return rounds_done_ >= mine; });
    done_.wait_until(lock, deadline, [&] { return in_ledger_ == 0; });
    if (closed_all_ && !writing()) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      log_.error("metering.drain_incomplete",
                 {{"leaves", in_ledger_ + returned_.size() + backlog_}});
      return false;
    }
  }
  return true;
}

}  // namespace kapok::metering
