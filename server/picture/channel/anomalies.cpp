#include "server/picture/channel/anomalies.hpp"

#include <algorithm>
#include <utility>

namespace kapok::channel {

namespace {

using media::Anomaly;
using media::AnomalyEvent;
using media::AnomalyState;

// Sound and picture of one moment do not come at the same time.
constexpr microseconds kSlack = seconds(5);
// An event that goes on is told every five seconds; a worker that is out of its mind makes no more
// facts than this.
constexpr microseconds kLeastNews = seconds(1);

UtcTime utc(microseconds channel_time) {
  return UtcTime(channel_time);
}

evidence::PictureEventKind evidence_kind(Anomaly kind) {
  switch (kind) {
    case Anomaly::black:
      return evidence::PictureEventKind::black;
    case Anomaly::frozen:
      return evidence::PictureEventKind::frozen;
    case Anomaly::bars:
      return evidence::PictureEventKind::bars;
    case Anomaly::silence:
      return evidence::PictureEventKind::silence;
  }
  return evidence::PictureEventKind::black;
}

}  // namespace

Anomalies::Anomalies(const std::string& channel, Log log, Metrics& metrics,
                     evidence::EvidenceSink* evidence)
    : channel_(channel), log_(std::move(log)), evidence_(evidence) {
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    const MetricLabels labels{{"channel", channel},
                              {"kind", std::string(name_of(static_cast<Anomaly>(i)))}};
    kinds_[i].active = &metrics.gauge("kapok_picture_event_active",
                                      "1 while the source is black, frozen, bars, silent", labels);
    kinds_[i].count =
        &metrics.counter("kapok_picture_events_total", "Times that the source was such", labels);
  }
}

std::string_view Anomalies::objection(const AnomalyEvent& event, const Given& given) const {
  const OfKind& kind = kinds_[static_cast<std::size_t>(event.kind)];
  if (event.from < given.from - kSlack || event.to > given.to + kSlack)
    return "it speaks of what the worker was not given";
  if (event.state == AnomalyState::begun) {
    if (kind.from) return "it begins twice";
    if (event.from < kind.to) return "it begins before the one before it has ended";
    if (event.to - event.from < media::kShortestDetection) return "it is too short";
    return {};
  }
  if (!kind.from || event.from != *kind.from) return "it has not begun";
  if (event.to < kind.to + (event.state == AnomalyState::goes_on ? kLeastNews : microseconds(0)))
    return "it is told too often";
  return {};
}

void Anomalies::take(const AnomalyEvent& event, const Given& given) {
  if (const std::string_view why = objection(event, given); !why.empty()) {
    if (!std::exchange(told_of_refusal_, true))
      log_.warn("picture.event_refused", {{"kind", name_of(event.kind)}, {"why", why}});
    return;
  }
  OfKind& kind = kinds_[static_cast<std::size_t>(event.kind)];
  kind.to = event.to;
  if (event.state == AnomalyState::begun) begin(event);
  if (AnomalyFacts* facts = running(event.kind)) facts->to = utc(event.to);
  if (evidence_ != nullptr)
    evidence_->report(evidence::PictureEvent{
        channel_, {utc(event.from), utc(event.to)}, evidence_kind(event.kind)});
  if (event.state == AnomalyState::ended) end(event.kind);
}

void Anomalies::begin(const AnomalyEvent& event) {
  OfKind& kind = kinds_[static_cast<std::size_t>(event.kind)];
  kind.from = event.from;
  kind.active->set(1);
  kind.count->increment();
  // What goes on stays: of each kind there is one at most.
  if (kept_.size() >= kKept) kept_.erase(std::ranges::find(kept_, false, &AnomalyFacts::goes_on));
  kept_.push_back({event.kind, utc(event.from), utc(event.to), true});
  log_.warn("picture.event_begun",
            {{"kind", name_of(event.kind)}, {"from", format_utc(utc(event.from))}});
}

void Anomalies::end(Anomaly ended) {
  OfKind& kind = kinds_[static_cast<std::size_t>(ended)];
  const microseconds from = *std::exchange(kind.from, std::nullopt);
  kind.active->set(0);
  if (AnomalyFacts* facts = running(ended)) facts->goes_on = false;
  log_.info("picture.event_ended",
            {{"kind", name_of(ended)},
             {"from", format_utc(utc(from))},
             {"to", format_utc(utc(kind.to))},
             {"lasted_ms", std::chrono::duration_cast<milliseconds>(kind.to - from).count()}});
}

void Anomalies::end_all() {
  for (std::size_t i = 0; i < kinds_.size(); ++i)
    if (kinds_[i].from) end(static_cast<Anomaly>(i));
  told_of_refusal_ = false;
}

AnomalyFacts* Anomalies::running(Anomaly kind) {
  const auto found = std::ranges::find_if(
      kept_, [&](const AnomalyFacts& facts) { return facts.goes_on && facts.kind == kind; });
  return found == kept_.end() ? nullptr : &*found;
}

}  // namespace kapok::channel
