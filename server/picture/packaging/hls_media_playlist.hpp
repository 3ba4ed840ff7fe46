// The LL-HLS media playlist of one rendition, built incrementally: every segment's lines are
// formatted once, when it closes, and kept as text; rendering a new generation only concatenates
// (a 30-minute window is one memcpy of 80 kB, never 900 fmt calls). Single-threaded, pure; owned by
// a RenditionWindow.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "server/picture/packaging/window.hpp"

namespace kapok::packaging {

// [RFC 8216bis 4.4.3.8] CAN-SKIP-UNTIL MUST be at least six times the target duration.
constexpr std::uint32_t kSkipTargets = 6;
// [RFC 8216bis 6.2.2] parts are listed for the last three target durations.
constexpr std::uint32_t kPartTargets = 3;
// PART-HOLD-BACK is three parts, and never below this: with 200 ms parts, 0.6 s of buffer does not
// survive one late scheduler slice on a busy television box.
constexpr microseconds kMinPartHoldBack{1'000'000};

struct RenditionReport {
  std::string rendition;
  std::uint64_t last_msn = 0;
  std::optional<std::uint64_t> last_part;
};

class HlsMediaPlaylist {
 public:
  void set_info(const RenditionInfo& info);
  void open_segment(const Segment& segment, std::uint32_t discontinuity_sequence);
  void add_part(const Part& part);
  // Complete, or a gap. A segment that was never opened (a gap) is added whole.
  void close_segment(const Segment& segment, std::uint32_t discontinuity_sequence);
  void expire_before(std::uint64_t number);
  void set_hint(std::optional<std::uint64_t> part) { hint_ = part; }
  void set_reports(std::vector<RenditionReport> reports) { reports_ = std::move(reports); }
  // How much earlier its parts come than those of the slowest rendition: who plays this one stays
  // so much further behind its end, or a switch to that one would stall.
  void set_ahead(microseconds ahead) { ahead_ = ahead; }

  bool empty() const { return settled_.empty() && recent_.empty(); }
  std::uint64_t first_number() const;
  std::string render(PlaylistForm form) const;

 private:
  struct Entry {
    std::uint64_t number = 0;
    Ticks duration;
    std::uint32_t discontinuity_sequence = 0;
    bool discontinuity = false;
    bool own_map = false;  // its lines carry an EXT-X-MAP
    std::string init;
    std::size_t text_size = 0;  // in settled_text_
  };
  struct Recent {
    Entry entry;
    std::string head;   // DISCONTINUITY, MAP, PROGRAM-DATE-TIME
    std::string parts;  // EXT-X-PART lines
    std::string tail;   // EXTINF and URI; empty while open
  };

  void settle();
  const Entry& entry_at(std::size_t index) const;
  std::string header(const Entry& first) const;
  void append_seconds(std::string& out, Ticks duration) const;

  RenditionInfo info_;
  std::string last_init_;
  std::deque<Entry> settled_;  // without parts, oldest first
  std::string settled_text_;
  std::size_t settled_from_ = 0;  // bytes of settled_text_ that have expired
  std::deque<Recent> recent_;     // with parts; the last one may be open
  std::optional<std::uint64_t> hint_;
  std::vector<RenditionReport> reports_;
  microseconds ahead_{0};
};

// Seconds with five decimals, from ticks: exact to 10 us whatever the timescale.
std::string format_seconds(Ticks duration, Timescale timescale);

}  // namespace kapok::packaging
