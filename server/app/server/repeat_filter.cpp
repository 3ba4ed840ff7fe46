#include "server/app/server/repeat_filter.hpp"

namespace kapok::app {
namespace {
constexpr seconds kPeriod{1};
constexpr std::string_view kNameItself = "\n";  // rendered fields never hold a line feed
}  // namespace

RepeatFilter::Entry& RepeatFilter::entry_for(MonoTime now, LogLevel level, Key key) {
  // Full of this second's events: only names are told apart then, and if even those are too many,
  // all share one.
  if (!entries_.contains(key) && entries_.size() >= kMaxRemembered) key.second = kNameItself;
  if (!entries_.contains(key) && entries_.size() >= 2 * kMaxRemembered) key.first = "log.flood";
  Entry& entry = entries_[std::move(key)];
  if (entry.since == MonoTime{}) entry = {now, level, 0, 0};
  return entry;
}

bool RepeatFilter::admit(MonoTime now, LogLevel level, std::string_view event,
                         std::string_view fields) {
  Entry& name = entry_for(now, level, {std::string(event), std::string(kNameItself)});
  Entry& same = entry_for(now, level, {std::string(event), std::string(fields)});
  if (&same != &name && same.written > 0) {
    ++same.held;
    return false;
  }
  if (name.written >= kMaxPerNamePerSecond) {
    ++name.held;
    return false;
  }
  ++name.written;
  if (&same != &name) ++same.written;
  return true;
}

void RepeatFilter::collect(std::vector<Summary>& out, const Key& key, const Entry& entry) const {
  if (entry.held == 0) return;
  out.push_back(
      {entry.level, key.first, key.second == kNameItself ? std::string() : key.second, entry.held});
}

std::vector<RepeatFilter::Summary> RepeatFilter::due(MonoTime now) {
  std::vector<Summary> out;
  // A sweep walks the table, so it is not done for every line.
  if (now - last_sweep_ < kPeriod) return out;
  last_sweep_ = now;
  for (auto at = entries_.begin(); at != entries_.end();) {
    if (now - at->second.since < kPeriod) {
      ++at;
      continue;
    }
    collect(out, at->first, at->second);
    at = entries_.erase(at);
  }
  return out;
}

std::vector<RepeatFilter::Summary> RepeatFilter::all() {
  std::vector<Summary> out;
  for (const auto& [key, entry] : entries_) collect(out, key, entry);
  entries_.clear();
  return out;
}

}  // namespace kapok::app
