// What a URL of design.md 5 asks for, taken apart and checked, without looking at any window: pure.
// Owns its strings, because a held request outlives the bytes it was read from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/picture/packaging/sheet.hpp"
#include "server/picture/packaging/window.hpp"
#include "server/picture/protocols/http/request_head.hpp"

namespace kapok::delivery {

struct MediaRequest {
  enum class What : std::uint8_t {
    multivariant,
    manifest,
    playlist,
    init,
    segment,
    part,
    poster,
    thumbnail,
    thumbnail_playlist,
    thumbnail_times,  // WebVTT
    sheet,
    sheet_playlist,
    sheet_times,
    time,
    unknown,  // in the media name space, but nothing that exists: 404
    bad,      // 400
  };
  What what = What::unknown;
  std::string token;  // of /s/<token>/...; empty: bare /live/
  bool in_session = false;
  bool vod = false;  // of the library: `channel` is the item
  std::string channel;
  std::string rendition;
  std::string name;                          // init: the whole file name
  std::uint64_t number = 0;                  // segment, part or thumbnail
  std::uint32_t discontinuity_sequence = 0;  // segment: how many came before it
  std::optional<std::uint64_t> msn;          // _HLS_msn
  std::optional<std::uint64_t> msn_part;
  packaging::SheetName sheet;
  packaging::PlaylistForm form = packaging::PlaylistForm::full;

  http::Method method = http::Method::get;
  bool gzip = false;
  std::string range;
  std::string if_range;
  std::string if_none_match;
};

// nullopt: not a media path. `path` is normalised.
std::optional<MediaRequest> read_media_request(const http::RequestHead& head,
                                               std::string_view path);

}  // namespace kapok::delivery
