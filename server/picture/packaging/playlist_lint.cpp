#include "server/picture/packaging/playlist_lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "server/base/clock.hpp"

namespace kapok::packaging {

namespace {

// Durations are printed with five decimals.
constexpr double kPrinted = 0.000015;

std::map<std::string, std::string, std::less<>> attributes(std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  while (!text.empty()) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) break;
    const std::string name(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    std::string value;
    if (text.starts_with('"')) {
      const std::size_t end = text.find('"', 1);
      value = text.substr(1, end == std::string_view::npos ? end : end - 1);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    } else {
      const std::size_t end = std::min(text.find(','), text.size());
      value = text.substr(0, end);
      text.remove_prefix(end);
    }
    if (text.starts_with(',')) text.remove_prefix(1);
    out[name] = value;
  }
  return out;
}

std::uint64_t whole(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
double decimal(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "2026-11-23T18:04:05.123Z", as PROGRAM-DATE-TIME is written here.
UtcTime time_of(std::string_view text) {
  if (text.size() < 23) return {};
  const auto number = [&](std::size_t at, std::size_t digits) {
    return static_cast<unsigned>(whole(text.substr(at, digits)));
  };
  const std::chrono::year_month_day day(std::chrono::year(static_cast<int>(number(0, 4))),
                                        std::chrono::month(number(5, 2)),
                                        std::chrono::day(number(8, 2)));
  return UtcTime(std::chrono::sys_days(day)) + std::chrono::hours(number(11, 2)) +
         std::chrono::minutes(number(14, 2)) + seconds(number(17, 2)) + milliseconds(number(20, 3));
}

class Reader {
 public:
  explicit Reader(LintedPlaylist& out) : out_(out) {}

  void line(std::string_view text) {
    if (!text.starts_with('#')) {
      uri(text);
      return;
    }
    const std::size_t colon = text.find(':');
    const std::string_view tag = text.substr(0, colon);
    const std::string_view value =
        colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    read(tag, value);
  }

  void finish() {
    if (segment_.parts.empty()) return;
    segment_.number = next_;
    out_.segments.push_back(segment_);
  }

 private:
  void read(std::string_view tag, std::string_view value) {
    if (tag == "#EXT-X-TARGETDURATION") out_.target_duration = whole(value);
    if (tag == "#EXT-X-MEDIA-SEQUENCE") next_ = out_.media_sequence = whole(value);
    if (tag == "#EXT-X-DISCONTINUITY-SEQUENCE") out_.discontinuity_sequence = whole(value);
    if (tag == "#EXT-X-SERVER-CONTROL") {
      auto control = attributes(value);
      out_.can_block_reload = control["CAN-BLOCK-RELOAD"] == "YES";
      out_.part_hold_back = decimal(control["PART-HOLD-BACK"]);
      out_.hold_back = decimal(control["HOLD-BACK"]);
      out_.can_skip_until = decimal(control["CAN-SKIP-UNTIL"]);
    }
    if (tag == "#EXT-X-PART-INF") out_.part_target = decimal(attributes(value)["PART-TARGET"]);
    if (tag == "#EXT-X-SKIP") {
      out_.skipped = whole(attributes(value)["SKIPPED-SEGMENTS"]);
      if (!out_.segments.empty()) out_.faults.push_back("[4.4.5.2] SKIP after a segment");
      next_ += out_.skipped;
    }
    if (tag == "#EXT-X-MAP") map_ = attributes(value)["URI"];
    if (tag == "#EXT-X-DISCONTINUITY") segment_.discontinuity = true;
    if (tag == "#EXT-X-PROGRAM-DATE-TIME") segment_.program_date_time = value;
    if (tag == "#EXT-X-GAP") segment_.gap = true;
    if (tag == "#EXTINF") segment_.duration = decimal(value.substr(0, value.find(',')));
    if (tag == "#EXT-X-PART") {
      auto part = attributes(value);
      if (out_.preload_hint) out_.faults.push_back("[4.4.5.3] part after the preload hint");
      segment_.parts.push_back(
          {part["URI"], decimal(part["DURATION"]), part["INDEPENDENT"] == "YES"});
      segment_.map = map_;
    }
    if (tag == "#EXT-X-PRELOAD-HINT") {
      if (out_.preload_hint) out_.faults.push_back("[4.4.5.3] two hints of one type");
      out_.preload_hint = attributes(value)["URI"];
    }
    if (tag == "#EXT-X-RENDITION-REPORT") out_.reports.push_back(attributes(value)["URI"]);
  }
  void uri(std::string_view text) {
    segment_.uri = text;
    segment_.number = next_++;
    segment_.map = map_;
    out_.segments.push_back(std::exchange(segment_, {}));
  }

  LintedPlaylist& out_;
  LintedSegment segment_;
  std::string map_;
  std::uint64_t next_ = 0;
};

void judge_parts(LintedPlaylist& list, const LintedSegment& segment) {
  double sum = 0;
  for (std::size_t i = 0; i < segment.parts.size(); ++i) {
    const LintedPart& part = segment.parts[i];
    sum += part.duration;
    if (part.duration > list.part_target + kPrinted)
      list.faults.push_back(fmt::format("[4.4.4.9] {} lasts {:.5f}, PART-TARGET is {:.5f}",
                                        part.uri, part.duration, list.part_target));
    const bool last = i + 1 == segment.parts.size() && !segment.uri.empty();
    if (!last && !part.independent && part.duration < list.part_target * 0.85 - kPrinted)
      list.faults.push_back(fmt::format("[4.4.4.9] {} lasts {:.5f}, less than 85 % of {:.5f}",
                                        part.uri, part.duration, list.part_target));
  }
  // Not a clause, but what every player assumes: the parts are the segment. The last frame's
  // duration is a guess in the one and a fact in the other, hence a part's slack.
  if (!segment.uri.empty() && !segment.parts.empty() &&
      sum > segment.duration + list.part_target / 2)
    list.faults.push_back(fmt::format("parts of {} last {:.5f}, EXTINF says {:.5f}", segment.uri,
                                      sum, segment.duration));
}

void judge(LintedPlaylist& list) {
  if (list.target_duration == 0) list.faults.push_back("[4.4.3.1] no TARGETDURATION");
  if (list.part_hold_back < 2 * list.part_target)
    list.faults.push_back("[4.4.3.8] PART-HOLD-BACK below twice the part target");
  if (list.part_hold_back < 3 * list.part_target - kPrinted)
    list.faults.push_back("[4.4.3.8] PART-HOLD-BACK should be three part targets");
  const auto target = static_cast<double>(list.target_duration);
  if (list.hold_back < 3 * target) list.faults.push_back("[4.4.3.8] HOLD-BACK below 3 targets");
  if (list.can_skip_until > 0 && list.can_skip_until < 6 * target)
    list.faults.push_back("[4.4.3.8] CAN-SKIP-UNTIL below 6 targets");
  if (!list.can_block_reload) list.faults.push_back("[4.4.3.8] no CAN-BLOCK-RELOAD");
  for (const LintedSegment& segment : list.segments) {
    if (!segment.uri.empty() && std::round(segment.duration) > target)
      list.faults.push_back(fmt::format("[4.4.3.1] {} lasts {:.5f}, TARGETDURATION is {}",
                                        segment.uri, segment.duration, list.target_duration));
    if (segment.map.empty()) list.faults.push_back("[4.4.4.5] segment without EXT-X-MAP");
    if (segment.program_date_time.empty())
      list.faults.push_back("[design] segment without PROGRAM-DATE-TIME");
    judge_parts(list, segment);
  }
}

}  // namespace

LintedPlaylist lint_playlist(std::string_view text) {
  LintedPlaylist list;
  if (!text.starts_with("#EXTM3U\n")) list.faults.push_back("[4.4.1.1] no EXTM3U");
  if (!text.ends_with('\n')) list.faults.push_back("last line without an end");
  Reader reader(list);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) reader.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  reader.finish();
  judge(list);
  return list;
}

std::vector<std::string> lint_reload(const LintedPlaylist& earlier, const LintedPlaylist& later) {
  std::vector<std::string> faults;
  if (later.target_duration != earlier.target_duration)
    faults.push_back("[4.4.3.1] TARGETDURATION changed");
  if (later.media_sequence < earlier.media_sequence)
    faults.push_back("[6.2.2] the media sequence went back");
  if (later.discontinuity_sequence < earlier.discontinuity_sequence)
    faults.push_back("[6.2.2] the discontinuity sequence went back");
  std::map<std::uint64_t, std::pair<std::uint64_t, const LintedSegment*>> before;
  std::uint64_t sequence = earlier.discontinuity_sequence;
  for (const LintedSegment& segment : earlier.segments) {
    sequence += segment.discontinuity;
    before[segment.number] = {sequence, &segment};
  }
  sequence = later.discontinuity_sequence;
  std::uint64_t newest = 0;
  for (const LintedSegment& segment : later.segments) {
    sequence += segment.discontinuity;
    newest = segment.number;
    const auto found = before.find(segment.number);
    if (found == before.end()) continue;
    const LintedSegment& was = *found->second.second;
    if (found->second.first != sequence)
      faults.push_back(fmt::format("[6.2.2] discontinuity sequence of {} changed", segment.number));
    if (was.map != segment.map || was.program_date_time != segment.program_date_time)
      faults.push_back(fmt::format("[6.2.1] segment {} changed", segment.number));
    if (!was.uri.empty() && (was.uri != segment.uri || was.duration != segment.duration))
      faults.push_back(fmt::format("[6.2.1] segment {} changed", segment.number));
    if (!segment.parts.empty() && !segment.gap)
      for (std::size_t i = 0; i < was.parts.size(); ++i)
        if (i >= segment.parts.size() || segment.parts[i].uri != was.parts[i].uri ||
            segment.parts[i].duration != was.parts[i].duration)
          faults.push_back(fmt::format("[6.2.1] part {} of {} changed", i, segment.number));
  }
  if (!earlier.segments.empty() && newest < earlier.segments.back().number)
    faults.push_back("[6.2.1] the playlist lost its end");
  return faults;
}

std::vector<std::string> lint_siblings(const LintedPlaylist& first, const LintedPlaylist& second,
                                       double frame) {
  std::vector<std::string> faults;
  if (first.target_duration != second.target_duration)
    faults.push_back("[4.4.3.1] TARGETDURATION differs between renditions");
  if (first.media_sequence != second.media_sequence)
    faults.push_back(fmt::format("[6.2.4] media sequence {}, the other has {}",
                                 second.media_sequence, first.media_sequence));
  if (first.discontinuity_sequence != second.discontinuity_sequence)
    faults.push_back("[6.2.4] the discontinuity sequence differs between renditions");
  if (second.segments.size() > first.segments.size())
    faults.push_back("a rendition is ahead of the other");
  for (std::size_t i = 0; i < std::min(first.segments.size(), second.segments.size()); ++i) {
    const LintedSegment& one = first.segments[i];
    const LintedSegment& other = second.segments[i];
    if (one.number != other.number)
      faults.push_back(fmt::format("segment {} stands for {}", other.number, one.number));
    if (one.discontinuity != other.discontinuity)
      faults.push_back(
          fmt::format("[6.2.4] segment {} has a discontinuity of its own", one.number));
    const auto apart = time_of(one.program_date_time) - time_of(other.program_date_time);
    // PROGRAM-DATE-TIME is printed with milliseconds.
    if (std::abs(static_cast<double>(apart.count()) / 1e6) > frame + 0.001)
      faults.push_back(fmt::format("segment {} begins at {} and {}", one.number,
                                   one.program_date_time, other.program_date_time));
    if (!one.uri.empty() && !other.uri.empty() &&
        std::abs(one.duration - other.duration) > frame + kPrinted)
      faults.push_back(fmt::format("segment {} lasts {:.5f} and {:.5f}", one.number, one.duration,
                                   other.duration));
  }
  return faults;
}

std::vector<std::string> lint_delta(const LintedPlaylist& full, const LintedPlaylist& delta) {
  std::vector<std::string> faults = delta.faults;
  if (delta.media_sequence != full.media_sequence) faults.push_back("media sequence differs");
  if (delta.skipped + delta.segments.size() != full.segments.size()) {
    faults.push_back("[4.4.5.2] skipped and listed segments are not the full playlist");
    return faults;
  }
  double after = 0;
  for (std::size_t i = full.segments.size(); i-- > 0;) {
    const LintedSegment& segment = full.segments[i];
    // [4.4.5.2] only segments further than the skip boundary from the end may be skipped.
    const double printed = kPrinted * static_cast<double>(full.segments.size());
    if (i < delta.skipped && after < delta.can_skip_until - printed)
      faults.push_back(fmt::format("segment {} skipped within the boundary", segment.number));
    double length = segment.duration;
    if (segment.uri.empty())
      for (const LintedPart& part : segment.parts) length += part.duration;
    after += length;
    if (i < delta.skipped) continue;
    const LintedSegment& same = delta.segments[i - delta.skipped];
    if (same.number != segment.number || same.uri != segment.uri || same.map != segment.map ||
        same.parts.size() != segment.parts.size())
      faults.push_back(fmt::format("segment {} differs in the delta", segment.number));
  }
  if (delta.preload_hint != full.preload_hint) faults.push_back("hint differs in the delta");
  return faults;
}

}  // namespace kapok::packaging
