#include "server/access/failure_limit.hpp"

namespace kapok::access {

Admission FailureLimit::check(std::string_view address, MonoTime now) const {
  const auto found = by_address_.find(std::string(address));
  if (found == by_address_.end()) return Admission::go_on;
  const Entry& entry = *found->second;
  if (now < entry.refused_until) return Admission::refuse;
  if (now - entry.window_start >= limits_.window) return Admission::go_on;
  return entry.failures >= limits_.delay_from ? Admission::delay : Admission::go_on;
}

void FailureLimit::record_failure(std::string_view address, MonoTime now) {
  const auto found = by_address_.find(std::string(address));
  if (found == by_address_.end()) {
    if (by_age_.size() >= limits_.max_addresses) {
      by_address_.erase(by_age_.front().address);
      by_age_.pop_front();
    }
    by_age_.push_back({std::string(address), 1, now, MonoTime()});
    by_address_.emplace(by_age_.back().address, std::prev(by_age_.end()));
    return;
  }
  Entry& entry = *found->second;
  if (now - entry.window_start >= limits_.window) {
    entry.failures = 0;
    entry.window_start = now;
  }
  if (++entry.failures >= limits_.refuse_from) entry.refused_until = now + limits_.refused_for;
  by_age_.splice(by_age_.end(), by_age_, found->second);
}

void FailureLimit::record_success(std::string_view address) {
  const auto found = by_address_.find(std::string(address));
  if (found == by_address_.end()) return;
  by_age_.erase(found->second);
  by_address_.erase(found);
}

}  // namespace kapok::access
