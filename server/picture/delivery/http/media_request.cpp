#include "server/picture/delivery/http/media_request.hpp"

#include <charconv>
#include <limits>

#include "server/access/session_token.hpp"
#include "server/base/ids.hpp"
#include "server/picture/protocols/http/conditions.hpp"
#include "server/picture/protocols/http/target.hpp"

namespace kapok::delivery {

namespace {

using What = MediaRequest::What;

// Up to the next '/', which is taken away; the last one has none.
std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return segment;
}

// Digits only, no leading zero: one object has one name, or a cache would hold it twice.
std::optional<std::uint64_t> canonical_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* last = text.data() + text.size();
  if (text.empty() || text.front() == '-' || (text.front() == '0' && text.size() > 1))
    return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc() || end != last) return std::nullopt;
  return number;
}

// "895", "2-895" (after the second discontinuity). False: neither.
bool read_numbered(std::string_view name, MediaRequest& request) {
  if (const auto dash = name.find('-'); dash != name.npos) {
    const auto sequence = canonical_number(name.substr(0, dash));
    // Before the first one nothing is said, or an object would have two names.
    if (!sequence || *sequence == 0 || *sequence > std::numeric_limits<std::uint32_t>::max())
      return false;
    request.discontinuity_sequence = static_cast<std::uint32_t>(*sequence);
    name.remove_prefix(dash + 1);
  }
  const auto number = canonical_number(name);
  request.number = number.value_or(0);
  return number.has_value();
}

// "p12.m4s", "895.m4s", "2-895.m4s", "init-1a2b.mp4", "media.m3u8".
void read_name(std::string_view name, MediaRequest& request) {
  constexpr std::string_view kMedia = ".m4s";
  if (name == "media.m3u8") {
    request.what = What::playlist;
  } else if (name.starts_with("init-") && name.ends_with(".mp4")) {
    request.what = What::init;
    request.name = name;
  } else if (name.ends_with(kMedia)) {
    name.remove_suffix(kMedia.size());
    const bool part = name.starts_with('p');
    if (part) {
      const auto number = canonical_number(name.substr(1));
      if (!number) return;
      request.number = *number;
      request.what = What::part;
    } else if (read_numbered(name, request)) {
      request.what = What::segment;
    }
  }
}

// "1790000000000000-2000000-7" of a sheet: where its grid begins, its tiles' us, its number. Within
// bounds: the time of the sheet is computed of them.
bool read_sheet(std::string_view name, packaging::SheetName& sheet) {
  constexpr std::uint64_t kMax = std::uint64_t{1} << 52;
  constexpr std::uint64_t kMaxNumber = 100'000'000;
  constexpr std::uint64_t kMaxTile_us = std::uint64_t{3'600} * 1'000'000;
  const std::size_t first = name.find('-');
  const std::size_t second = first == name.npos ? name.npos : name.find('-', first + 1);
  if (second == name.npos) return false;
  const auto grid = canonical_number(name.substr(0, first));
  const auto tile = canonical_number(name.substr(first + 1, second - first - 1));
  const auto number = canonical_number(name.substr(second + 1));
  if (!grid || !tile || !number || *grid > kMax || *tile == 0 || *tile > kMaxTile_us ||
      *number == 0 || *number > kMaxNumber)
    return false;
  sheet = {
      .grid = *grid, .tile = microseconds(static_cast<std::int64_t>(*tile)), .number = *number};
  return true;
}

// "895.jpg", of an item "2-895.jpg"; "media.m3u8", "media.vtt"; "sheet-1-2000000-7.jpg",
// "sheets.m3u8", "sheets.vtt". No rendition is called thumbnails.
void read_thumbnail(std::string_view name, MediaRequest& request) {
  constexpr std::string_view kImage = ".jpg";
  constexpr std::string_view kSheet = "sheet-";
  if (name == "media.m3u8") {
    request.what = What::thumbnail_playlist;
  } else if (name == "media.vtt") {
    request.what = What::thumbnail_times;
  } else if (name == "sheets.m3u8") {
    request.what = What::sheet_playlist;
  } else if (name == "sheets.vtt") {
    request.what = What::sheet_times;
  } else if (name.starts_with(kSheet) && name.ends_with(kImage)) {
    name.remove_prefix(kSheet.size());
    name.remove_suffix(kImage.size());
    if (read_sheet(name, request.sheet)) request.what = What::sheet;
  } else if (name.ends_with(kImage)) {
    name.remove_suffix(kImage.size());
    if (read_numbered(name, request) && (request.vod || request.discontinuity_sequence == 0))
      request.what = What::thumbnail;
  }
}

// [RFC 8216bis 6.2.5.2] the delivery directives; others are ignored.
void read_directives(std::string_view query, MediaRequest& request) {
  if (query.empty()) return;
  const auto msn = http::raw_query_value(query, "_HLS_msn");
  const auto part = http::raw_query_value(query, "_HLS_part");
  const auto skip = http::raw_query_value(query, "_HLS_skip");
  // v2 allows to skip date ranges as well; there are none yet, so the answer is the same.
  if (skip == "YES" || skip == "v2") request.form = packaging::PlaylistForm::delta;
  if (msn) request.msn = canonical_number(*msn);
  if (part) request.msn_part = canonical_number(*part);
  if ((msn && !request.msn) || (part && !request.msn_part) || (part && !msn))
    request.what = What::bad;
}

void read_live(std::string_view rest, std::string_view query, MediaRequest& request) {
  const std::string_view channel = take_segment(rest);
  if (!is_valid_id(channel)) return;
  request.channel = channel;
  if (rest == "master.m3u8") {
    request.what = What::multivariant;
  } else if (rest == "manifest.mpd") {
    request.what = What::manifest;
  } else if (rest == "poster.jpg") {
    request.what = What::poster;
  } else {
    const std::string_view rendition = take_segment(rest);
    if (rendition == "thumbnails") return read_thumbnail(rest, request);
    if (!is_valid_id(rendition)) return;
    request.rendition = rendition;
    read_name(rest, request);
    if (request.what == What::playlist) read_directives(query, request);
  }
}

}  // namespace

std::optional<MediaRequest> read_media_request(const http::RequestHead& head,
                                               std::string_view path) {
  constexpr std::string_view kLive = "/live/";
  constexpr std::string_view kVod = "/vod/";
  constexpr std::string_view kSession = "/s/";
  constexpr std::string_view kTime = "/time";
  MediaRequest request;
  if (path.starts_with(kSession)) {
    std::string_view rest = path.substr(kSession.size());
    const std::string_view token = take_segment(rest);
    request.in_session = true;
    if (token.size() <= access::kMaxTokenLength) request.token = token;
    constexpr std::string_view kInSession = "live/";
    if (rest.starts_with(kInSession))
      read_live(rest.substr(kInSession.size()), head.query, request);
    else if (rest == "time")
      request.what = What::time;
  } else if (path.starts_with(kLive)) {
    read_live(path.substr(kLive.size()), head.query, request);
  } else if (path.starts_with(kVod)) {
    request.vod = true;
    read_live(path.substr(kVod.size()), {}, request);
  } else if (path == kTime) {
    request.what = What::time;
  } else {
    return std::nullopt;
  }
  request.method = head.method;
  request.gzip = http::accepts(head.accept_encoding, "gzip");
  request.range = head.range;
  request.if_range = head.if_range;
  request.if_none_match = head.if_none_match;
  return request;
}

}  // namespace kapok::delivery
