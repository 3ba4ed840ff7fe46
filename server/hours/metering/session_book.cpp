#include "server/hours/metering/session_book.hpp"

#include <algorithm>
#include <utility>

namespace kapok::metering {

SessionBook::SessionBook(BookConfig config, rules::RuleSet rules,
                         std::shared_ptr<const catalogue::Catalogue> catalogue)
    : config_(config), rules_(rules), catalogue_(std::move(catalogue)) {
  config_.interval = std::min(config_.interval, rules_.longest_interval);
}

ViewingSession* SessionBook::find_or_open(const access::SessionToken& token, Moment now) {
  const auto found = sessions_.find(token.session);
  if (found != sessions_.end()) return &found->second;
  if (sessions_.size() >= config_.max_sessions) {
    ++counts_.over_limit;
    return nullptr;
  }
  return &sessions_.emplace(token.session, ViewingSession(token, now)).first->second;
}

void SessionBook::opened(const access::SessionToken& token, Moment now) {
  find_or_open(token, now);
}

void SessionBook::reported(const access::SessionToken& token, const BeaconReport& report,
                           Moment now) {
  ViewingSession* session = find_or_open(token, now);
  if (session == nullptr) return;
  if (session->token().channel != token.channel) {
    ++counts_.wrong_channel;
    return;
  }
  session->adopt(token);
  const ViewingSession::Taken taken = session->reported(report, rules_, now);
  if (taken == ViewingSession::Taken::repeated) ++counts_.repeated;
  if (taken == ViewingSession::Taken::too_many) ++counts_.over_limit;
}

void SessionBook::take_fact(const evidence::Fact& fact, Moment now) {
  if (const auto* segment = std::get_if<evidence::Published>(&fact)) {
    if (segment->picture.width == 0) return;
    const ledger::UhdClass uhd = classify(rules_, segment->picture);
    pictures_.published(*segment, uhd);
    availability_.published(*segment, uhd, judgement(), now, leaves_);
    return;
  }
  if (const auto* event = std::get_if<evidence::PictureEvent>(&fact)) {
    for (const PictureExclusions::Piece& fresh : exclusions_.take(*event, rules_))
      Availability::picture_event(event->channel, fresh, judgement(), now, leaves_);
    return;
  }
  const auto& delivered = std::get<evidence::Delivered>(fact);
  if (!delivered.video) return;
  access::SessionToken token;
  token.session = delivered.session;
  token.channel = delivered.channel;
  token.expires = UtcTime::max();  // unknown until a report brings the token
  ViewingSession* session = find_or_open(token, now);
  if (session == nullptr) return;
  if (session->token().channel != delivered.channel) {
    ++counts_.wrong_channel;
    return;
  }
  session->delivered(delivered.rendition, to_span(delivered.interval), delivered.bytes, now);
}

void SessionBook::set_catalogue(std::shared_ptr<const catalogue::Catalogue> catalogue, Moment now) {
  for (auto& [id, session] : sessions_) session.close(judgement(), leaves_);
  availability_.close_all(judgement(), now, leaves_);
  catalogue_ = std::move(catalogue);
}

void SessionBook::tick(Moment now) {
  const Judgement with = judgement();
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    ViewingSession& session = at->second;
    const auto idle = now.mono - session.last_active();
    const bool expired = now.utc >= session.token().expires;
    const bool unused = !session.touched() && idle >= rules_.session_silence;
    if (unused || (expired && idle >= config_.judge_after) || idle >= config_.forget_after) {
      session.end(with, now, leaves_);
      at = sessions_.erase(at);
      continue;
    }
    // The end is acknowledged once it is in the log, so its last plays are judged by what is known.
    if (!session.closed() && (idle >= rules_.session_silence || session.wants_close())) {
      session.close(with, leaves_);
    } else if (!session.closed()) {
      session.judge(now.mono - config_.judge_after, with);
      if (session.interval_opened() && now.mono - *session.interval_opened() >= config_.interval)
        session.close_interval(with, leaves_);
    }
    ++at;
  }
  availability_.close_idle(now.mono - config_.availability_idle, with, now, leaves_);
}

void SessionBook::close_all(Moment now) {
  for (auto& [id, session] : sessions_) session.end(judgement(), now, leaves_);
  sessions_.clear();
  availability_.close_all(judgement(), now, leaves_);
}

std::map<std::string, std::uint64_t> SessionBook::open_by_channel() const {
  std::map<std::string, std::uint64_t> open;
  for (const auto& [id, session] : sessions_)
    if (!session.closed()) ++open[session.token().channel];
  return open;
}

}  // namespace kapok::metering
