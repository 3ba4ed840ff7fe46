#include "transcoder/ladder/attendance.hpp"

#include <algorithm>

namespace kapok::ladder {

Attendance::Answer Attendance::admits(const Mark& mark) {
  Answer answer = Answer::yes;
  if (segments_away_ != 0) {
    if (!mark.starts_segment || --segments_away_ != 0) {
      ++counters_.shed;
      return Answer::no;
    }
    segments_since_ = 0;
    answer = Answer::returned;
  }
  if (mark.starts_segment) ++segments_since_;
  return answer;
}

bool Attendance::passes(const Mark& mark) {
  if (!skips_to_start_) return true;
  if (is_away() || !mark.starts_segment) {
    ++counters_.shed;
    return false;
  }
  skips_to_start_ = false;
  return true;
}

void Attendance::shed() {
  const bool again = segments_since_ < kMaxSegmentsAway;
  last_away_ = again ? std::min(std::max(1U, last_away_ * 2), kMaxSegmentsAway) : 1;
  segments_away_ = last_away_;
  skips_to_start_ = true;
}

void Attendance::leave() {
  segments_away_ = UINT32_MAX;
  skips_to_start_ = true;
}

}  // namespace kapok::ladder
