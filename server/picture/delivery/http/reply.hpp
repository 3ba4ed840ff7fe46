// What a route answers: a value that says where the bytes come from, not how they are framed. A
// connection of any HTTP version turns it into a response. Media answers own what they refer to
// (text, file), so they stay valid while the window moves on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/evidence/facts.hpp"
#include "server/picture/delivery/http/live_store.hpp"
#include "server/picture/packaging/sheet.hpp"
#include "server/picture/packaging/window.hpp"
#include "server/picture/protocols/http/conditions.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::delivery {

// Cache-Control of design.md 5.
struct Caching {
  enum class Scope : std::uint8_t { open, within_session, revalidate, none };
  Scope scope = Scope::open;  // public, private, no-cache, no-store
  std::uint32_t max_age_s = 1;
  bool immutable = false;
};
constexpr std::uint32_t kYear_s = 31'536'000;
constexpr Caching immutable_for(Caching::Scope scope) {
  return {.scope = scope, .max_age_s = kYear_s, .immutable = true};
}

// On every answer about media: any page may play it, and players need Age and Date to find the live
// edge behind a cache. Credentials are never part of it: the token is in the URL.
constexpr std::string_view kMediaLines =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: Age, Date, Content-Length, Content-Range, ETag, CMSD-Dynamic, "
    "CMSD-Static\r\n"
    "Cross-Origin-Resource-Policy: cross-origin\r\n"
    "Timing-Allow-Origin: *\r\n";

// Whom a delivery is evidence for; absent outside of sessions.
struct Credit {
  evidence::SessionId session{};
  std::string channel;
  std::string rendition;
  bool video = false;
};

// A text or an init segment: memory shared by everybody who gets it.
struct BytesReply {
  unsigned status = 200;
  std::string_view type;  // a constant
  Caching caching;
  Buffer body;
  std::string_view coding;  // "gzip", "br"; empty: as it is
  bool varies = false;      // by Accept-Encoding
  std::string_view lines;   // further header lines, a constant
  std::string etag;
  http::Wanted wanted;  // 206 or 416 of the body
};

// A complete part or segment, or a range of it.
struct ObjectReply {
  unsigned status = 200;  // 304: no bytes
  std::string_view type;
  Caching caching;
  packaging::MediaObject object;
  http::Wanted wanted;
  std::optional<Credit> credit;
};

// A sheet of thumbnails, which is put together first, away from the shard. One that cannot be is
// answered with `otherwise`.
struct SheetReply {
  packaging::Sheet sheet;
  std::string range;  // of the request, if it applies
  BytesReply found;   // but for its body
  BytesReply otherwise;
};

// A segment that is sent while it grows.
struct GrowingReply {
  std::string_view type;
  Caching caching;
  std::string channel;
  std::string rendition;
  packaging::SegmentName name;
  seconds patience{0};  // without a new part for so long: cut
  std::optional<Credit> credit;
};

// Not yet: wait in the LiveStore, then ask again.
struct Hold {
  Wish wish;
  seconds patience{0};
};

using Reply = std::variant<BytesReply, ObjectReply, SheetReply, GrowingReply, Hold>;

}  // namespace kapok::delivery
