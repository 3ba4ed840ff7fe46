#include "server/picture/delivery/http/media_routes.hpp"

#include "server/net/address_limits.hpp"
#include "server/picture/packaging/image_window.hpp"

namespace kapok::delivery {

using packaging::Presence;
using packaging::RenditionWindow;
using What = MediaRequest::What;

namespace {

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";
constexpr std::string_view kManifestType = "application/dash+xml";
constexpr std::string_view kImageType = "image/jpeg";
constexpr std::string_view kTimesType = "text/vtt; charset=utf-8";
constexpr std::string_view kTextType = "text/plain; charset=utf-8";
// A poster changes every ten seconds or so.
constexpr std::uint32_t kPosterAge_s = 5;
// Until the first segment says what it is: longer than any start-up, shorter than a player's own
// patience.
constexpr seconds kUnknownTarget{2};
// [RFC 8216bis 6.2.5.2] a server gives up after three target durations.
constexpr int kTargetsOfPatience = 3;
// [RFC 8216bis appendix B.1] how long a blocking reload that was answered may be kept.
constexpr std::uint32_t kTargetsOfFreshness = 6;

std::string_view media_type(media::TrackKind kind) {
  return kind == media::TrackKind::audio ? "audio/mp4" : "video/mp4";
}

seconds target_of(const RenditionWindow& window) {
  const seconds target{window.info().target_duration_s};
  return target > seconds(0) ? target : kUnknownTarget;
}

// Refusals of media are cacheable for a second, never no-store: otherwise a cache in front asks us
// once for every viewer, one after another (measured: 18 s for 30 viewers).
BytesReply refuse(unsigned status, Caching::Scope scope) {
  BytesReply reply;
  reply.lines = kMediaLines;
  reply.status = status;
  reply.type = kTextType;
  reply.caching = {.scope = scope, .max_age_s = 1, .immutable = false};
  static const Buffer bad = Buffer::copy_of("bad request\n");
  static const Buffer denied = Buffer::copy_of("no right to see this\n");
  static const Buffer missing = Buffer::copy_of("not here\n");
  reply.body = status == 400 ? bad : status == 403 ? denied : missing;
  return reply;
}

// The same for a channel that does not exist and for one that nobody publishes to.
BytesReply nothing_on_air(Caching::Scope scope) {
  static const Buffer text =
      Buffer::copy_of("nothing is on air here: no such channel, or nobody publishes to it now\n");
  BytesReply reply = refuse(404, scope);
  reply.body = text;
  return reply;
}

LiveStore::Coding coding_of(const MediaRequest& request) {
  return request.gzip ? LiveStore::Coding::gzip : LiveStore::Coding::identity;
}

Reply text_reply(std::optional<LiveStore::Text> text, std::string_view type, Caching caching) {
  if (!text) return nothing_on_air(caching.scope);
  BytesReply reply;
  reply.lines = kMediaLines;
  reply.type = type;
  reply.caching = caching;
  reply.body = std::move(text->bytes);
  reply.coding = text->gzipped ? "gzip" : "";
  reply.varies = true;
  return reply;
}

std::optional<Credit> credit_for(const MediaRequest& request,
                                 const std::optional<evidence::SessionId>& session,
                                 const RenditionWindow& window) {
  if (!session) return std::nullopt;
  return Credit{.session = *session,
                .channel = request.channel,
                .rendition = request.rendition,
                .video = window.info().kind == media::TrackKind::video};
}

ObjectReply object_reply(const MediaRequest& request, packaging::MediaObject object,
                         Caching::Scope scope, std::string_view type) {
  ObjectReply reply;
  reply.type = type;
  reply.caching = immutable_for(scope);
  reply.object = std::move(object);
  const http::Conditions conditions{request.if_none_match, {}, request.if_range};
  const http::Validators validators{reply.object.etag, std::nullopt};
  if (http::not_modified(conditions, validators)) {
    reply.status = 304;
  } else if (!request.range.empty() && http::range_applies(conditions, validators)) {
    reply.wanted = http::parse_range(request.range, reply.object.size);
  }
  return reply;
}

}  // namespace

Result<AccessRule> AccessRule::make(const MediaAccess& access) {
  namespace ip = boost::asio::ip;
  AccessRule rule;
  rule.anonymous_ = access.anonymous;
  for (const std::string& edge : access.edges) {
    boost::system::error_code bad;
    const auto address = ip::make_address(edge, bad);
    if (!bad && address.is_v4()) {
      rule.edges_v4_.emplace_back(address.to_v4(), 32);
      continue;
    }
    if (!bad) {
      rule.edges_v6_.emplace_back(address.to_v6(), 128);
      continue;
    }
    const auto v4 = ip::make_network_v4(edge, bad);
    if (!bad) {
      rule.edges_v4_.push_back(v4.canonical());
      continue;
    }
    const auto v6 = ip::make_network_v6(edge, bad);
    if (bad)
      return fail(Errc::config,
                  "delivery.edges: '{}' is neither an address nor a network such as 192.0.2.0/24",
                  edge);
    rule.edges_v6_.push_back(v6.canonical());
  }
  return rule;
}

bool AccessRule::may_see_bare_live(const boost::asio::ip::address& peer) const {
  namespace ip = boost::asio::ip;
  if (anonymous_ == Anonymous::allow) return true;
  const ip::address plain = net::plain_address(peer);
  if (plain.is_v4()) {
    for (const auto& edge : edges_v4_)
      if (ip::network_v4(plain.to_v4(), edge.prefix_length()).canonical() == edge) return true;
    return false;
  }
  for (const auto& edge : edges_v6_)
    if (ip::network_v6(plain.to_v6(), edge.prefix_length()).canonical() == edge) return true;
  return false;
}

MediaRoutes::MediaRoutes(LiveStore& live, const AccessRule& rule, const access::TokenSigner* signer,
                         const Clock& clock)
    : live_(live), rule_(rule), signer_(signer), clock_(clock) {}

std::variant<MediaRoutes::Admitted, BytesReply> MediaRoutes::admit(
    const MediaRequest& request, const boost::asio::ip::address& peer) const {
  if (!request.in_session) {
    if (!rule_.may_see_bare_live(peer)) return refuse(403, Caching::Scope::open);
    return Admitted{};
  }
  constexpr auto kScope = Caching::Scope::within_session;
  if (signer_ == nullptr || request.token.empty()) return refuse(403, kScope);
  const auto token = signer_->open(request.token, clock_.utc());
  if (!token || token->channel != request.channel) return refuse(403, kScope);
  return Admitted{.scope = kScope, .session = token->session};
}

Reply MediaRoutes::answer(const MediaRequest& request, const boost::asio::ip::address& peer,
                          Patience patience) {
  if (request.what == What::time) return time();
  const auto scope = request.in_session ? Caching::Scope::within_session : Caching::Scope::open;
  if (request.what == What::bad) return refuse(400, scope);
  if (request.what == What::unknown) return refuse(404, scope);
  auto admission = admit(request, peer);
  if (auto* refused = std::get_if<BytesReply>(&admission)) return std::move(*refused);
  const auto& admitted = std::get<Admitted>(admission);
  if (request.vod) return vod(request, admitted);
  const Caching plain{.scope = admitted.scope, .max_age_s = 1, .immutable = false};
  switch (request.what) {
    case What::multivariant:
      // The ladder changes when a feed does; two seconds spare an edge half of the questions.
      return text_reply(live_.multivariant(request.channel, coding_of(request)), kPlaylistType,
                        {.scope = admitted.scope, .max_age_s = 2, .immutable = false});
    case What::manifest:
      return text_reply(live_.manifest(request.channel, coding_of(request)), kManifestType, plain);
    case What::playlist:
      return playlist(request, admitted, patience);
    case What::init:
      return init(request, admitted);
    case What::segment:
      return segment(request, admitted, patience);
    case What::part:
      return part(request, admitted, patience);
    case What::poster:
      return poster(request, admitted);
    case What::thumbnail:
      return thumbnail(request, admitted);
    case What::thumbnail_playlist:
      return text_reply(live_.thumbnail_playlist(request.channel, coding_of(request)),
                        kPlaylistType, plain);
    case What::thumbnail_times:
      return text_reply(live_.thumbnail_times(request.channel, coding_of(request)), kTimesType,
                        plain);
    case What::sheet:
      return sheet(request, admitted);
    case What::sheet_playlist:
      return text_reply(live_.sheet_playlist(request.channel, coding_of(request)), kPlaylistType,
                        plain);
    case What::sheet_times:
      return text_reply(live_.sheet_times(request.channel, coding_of(request)), kTimesType, plain);
    default:
      return refuse(404, scope);
  }
}

Reply MediaRoutes::playlist(const MediaRequest& request, const Admitted& admitted,
                            Patience patience) {
  const RenditionWindow* window = live_.find(request.channel, request.rendition);
  if (window == nullptr) return refuse(404, admitted.scope);
  Caching caching{.scope = admitted.scope, .max_age_s = 1, .immutable = false};
  if (request.msn) {
    const Presence presence = window->playlist_presence(*request.msn, request.msn_part);
    if (presence == Presence::too_far) return refuse(400, admitted.scope);
    if (presence == Presence::here) {
      caching.max_age_s =
          kTargetsOfFreshness * static_cast<std::uint32_t>(target_of(*window).count());
    } else if (patience != Patience::exhausted) {
      const Wish wish{.what = Wish::What::playlist,
                      .number = *request.msn,
                      .part = request.msn_part,
                      .bytes = 0};
      if (live_.is_coming(request.channel, request.rendition, wish))
        return Hold{.wish = wish, .patience = kTargetsOfPatience * target_of(*window)};
    }
    // Given up: the current playlist, which a cache must not keep for those who ask again.
  }
  return text_reply(
      live_.playlist(request.channel, request.rendition, request.form, coding_of(request)),
      kPlaylistType, caching);
}

namespace {

// A segment without samples. Short-lived in caches like the 404 that it stands for.
BytesReply empty_segment(Caching::Scope scope, media::TrackKind kind) {
  using namespace std::string_view_literals;
  static const Buffer styp = Buffer::copy_of("\0\0\0\x20stypmsdh\0\0\0\0msdhcmfscmffcmfl"sv);
  BytesReply reply;
  reply.lines = kMediaLines;
  reply.type = media_type(kind);
  reply.caching = {.scope = scope, .max_age_s = 1, .immutable = false};
  reply.body = styp;
  return reply;
}

}  // namespace

Reply MediaRoutes::segment(const MediaRequest& request, const Admitted& admitted,
                           Patience patience) {
  const RenditionWindow* window = live_.find(request.channel, request.rendition);
  if (window == nullptr) return refuse(404, admitted.scope);
  const packaging::SegmentName name{request.discontinuity_sequence, request.number};
  auto object = window->find_segment(name);
  if (object && object->file && object->complete) {
    ObjectReply reply =
        object_reply(request, std::move(*object), admitted.scope, media_type(window->info().kind));
    reply.credit = credit_for(request, admitted.session, *window);
    return reply;
  }
  if (object && object->file) {
    GrowingReply reply;
    reply.type = media_type(window->info().kind);
    reply.caching = immutable_for(admitted.scope);
    reply.channel = request.channel;
    reply.rendition = request.rendition;
    reply.name = name;
    reply.patience = kTargetsOfPatience * target_of(*window);
    reply.credit = credit_for(request, admitted.session, *window);
    return reply;
  }
  if (window->segment_presence(name) == Presence::empty)
    return empty_segment(admitted.scope, window->info().kind);
  const Wish wish{.what = Wish::What::segment,
                  .number = name.number,
                  .part = std::nullopt,
                  .discontinuity_sequence = name.discontinuity_sequence,
                  .bytes = 0};
  if (patience != Patience::exhausted && live_.is_coming(request.channel, request.rendition, wish))
    return Hold{.wish = wish, .patience = kTargetsOfPatience * target_of(*window)};
  return refuse(404, admitted.scope);
}

Reply MediaRoutes::part(const MediaRequest& request, const Admitted& admitted, Patience patience) {
  const RenditionWindow* window = live_.find(request.channel, request.rendition);
  if (window == nullptr) return refuse(404, admitted.scope);
  auto object = window->find_part(request.number);
  if (object && object->file) {
    ObjectReply reply =
        object_reply(request, std::move(*object), admitted.scope, media_type(window->info().kind));
    reply.credit = credit_for(request, admitted.session, *window);
    return reply;
  }
  const Wish wish{
      .what = Wish::What::part, .number = request.number, .part = std::nullopt, .bytes = 0};
  if (patience != Patience::exhausted && live_.is_coming(request.channel, request.rendition, wish))
    return Hold{.wish = wish, .patience = kTargetsOfPatience * target_of(*window)};
  return refuse(404, admitted.scope);
}

namespace {

BytesReply init_reply(const MediaRequest& request, const packaging::InitSegment& init,
                      Caching::Scope scope, media::TrackKind kind) {
  BytesReply reply;
  reply.lines = kMediaLines;
  reply.type = media_type(kind);
  reply.caching = immutable_for(scope);
  // The name holds a hash of the bytes.
  reply.etag = "\"" + request.name + "\"";
  const http::Conditions conditions{request.if_none_match, {}, request.if_range};
  const http::Validators validators{reply.etag, std::nullopt};
  if (http::not_modified(conditions, validators)) {
    reply.status = 304;
    return reply;
  }
  reply.body = init.bytes;
  if (!request.range.empty() && http::range_applies(conditions, validators))
    reply.wanted = http::parse_range(request.range, reply.body.size());
  return reply;
}

}  // namespace

Reply MediaRoutes::init(const MediaRequest& request, const Admitted& admitted) const {
  const RenditionWindow* window = live_.find(request.channel, request.rendition);
  const auto found = window == nullptr ? nullptr : window->find_init(request.name);
  if (!found) return refuse(404, admitted.scope);
  return init_reply(request, *found, admitted.scope, window->info().kind);
}

namespace {

BytesReply poster_reply(const MediaRequest& request, const packaging::Poster& poster,
                        Caching caching) {
  BytesReply reply;
  reply.lines = kMediaLines;
  reply.type = kImageType;
  reply.caching = caching;
  reply.etag = poster.etag;
  if (http::not_modified({request.if_none_match, {}, request.if_range}, {reply.etag, std::nullopt}))
    reply.status = 304;
  else
    reply.body = poster.jpeg;
  return reply;
}

}  // namespace

namespace {

Reply sheet_reply(const MediaRequest& request, std::optional<packaging::Sheet> sheet,
                  Caching::Scope scope) {
  if (!sheet) return refuse(404, scope);
  SheetReply reply;
  reply.sheet = std::move(*sheet);
  reply.otherwise = refuse(404, scope);
  reply.found.lines = kMediaLines;
  reply.found.type = kImageType;
  reply.found.caching = immutable_for(scope);
  reply.found.etag = reply.sheet.etag;
  const http::Conditions conditions{request.if_none_match, {}, request.if_range};
  const http::Validators validators{reply.found.etag, std::nullopt};
  if (http::not_modified(conditions, validators)) {
    reply.found.status = 304;
    return std::move(reply.found);
  }
  if (!request.range.empty() && http::range_applies(conditions, validators))
    reply.range = request.range;
  return reply;
}

}  // namespace

// Nothing is held and nothing grows. Playlists may still go: an item can be removed, or made anew.
Reply MediaRoutes::vod(const MediaRequest& request, const Admitted& admitted) {
  constexpr std::uint32_t kPlaylistAge_s = 60;
  const auto item = live_.vod().find(request.channel);
  if (!item) return refuse(404, admitted.scope);
  const auto text = [&](const Buffer& body, std::string_view type) -> Reply {
    return text_reply(LiveStore::Text{body, false}, type,
                      {.scope = admitted.scope, .max_age_s = kPlaylistAge_s, .immutable = false});
  };
  if (request.what == What::multivariant) return text(item->multivariant(), kPlaylistType);
  if (request.what == What::manifest) return text(item->manifest(), kManifestType);
  const packaging::ClosedImages& images = item->images();
  if (request.what == What::poster && images.poster())
    return poster_reply(request, *images.poster(),
                        {.scope = admitted.scope, .max_age_s = kPlaylistAge_s, .immutable = false});
  if (request.what == What::thumbnail_playlist && images.listing())
    return text(images.playlist(), kPlaylistType);
  if (request.what == What::thumbnail_times && images.listing())
    return text(images.webvtt(), kTimesType);
  const bool joined = images.listing() && images.listing()->sheet_tile > microseconds(0);
  if (request.what == What::sheet_playlist && joined)
    return text(images.sheet_playlist(), kPlaylistType);
  if (request.what == What::sheet_times && joined) return text(images.sheet_webvtt(), kTimesType);
  if (request.what == What::sheet)
    return sheet_reply(request, images.sheet(request.sheet), admitted.scope);
  if (request.what == What::thumbnail) {
    auto found = images.thumbnail({request.discontinuity_sequence, request.number});
    if (!found) return refuse(404, admitted.scope);
    return object_reply(request, std::move(*found), admitted.scope, kImageType);
  }
  const packaging::ClosedRendition* rendition = item->find(request.rendition);
  if (rendition == nullptr) return refuse(404, admitted.scope);
  if (request.what == What::playlist) return text(item->playlist(request.rendition), kPlaylistType);
  if (request.what == What::init && rendition->init->name == request.name)
    return init_reply(request, *rendition->init, admitted.scope, rendition->info.kind);
  if (request.what != What::segment) return refuse(404, admitted.scope);
  auto object =
      item->find_segment(request.rendition, {request.discontinuity_sequence, request.number});
  if (!object) return refuse(404, admitted.scope);
  if (!object->file) return empty_segment(admitted.scope, rendition->info.kind);
  return object_reply(request, std::move(*object), admitted.scope,
                      media_type(rendition->info.kind));
}

Reply MediaRoutes::poster(const MediaRequest& request, const Admitted& admitted) const {
  const packaging::ChannelWindow* window = live_.find(request.channel);
  const auto found = window == nullptr ? nullptr : window->images().poster();
  if (!found) return refuse(404, admitted.scope);
  return poster_reply(request, *found,
                      {.scope = admitted.scope, .max_age_s = kPosterAge_s, .immutable = false});
}

// Nothing is credited for one: it is not what a household watches.
Reply MediaRoutes::thumbnail(const MediaRequest& request, const Admitted& admitted) const {
  const packaging::ChannelWindow* window = live_.find(request.channel);
  auto found = window == nullptr ? std::nullopt : window->images().thumbnail(request.number);
  if (!found) return refuse(404, admitted.scope);
  return object_reply(request, std::move(*found), admitted.scope, kImageType);
}

Reply MediaRoutes::sheet(const MediaRequest& request, const Admitted& admitted) const {
  const packaging::ChannelWindow* window = live_.find(request.channel);
  return sheet_reply(request,
                     window == nullptr ? std::nullopt : window->images().sheet(request.sheet),
                     admitted.scope);
}

BytesReply MediaRoutes::time() const {
  BytesReply reply;
  reply.lines = kMediaLines;
  // urn:mpeg:dash:utc:http-xsdate:2014
  reply.type = kTextType;
  reply.caching.scope = Caching::Scope::none;
  reply.body = Buffer::copy_of(format_utc(clock_.utc()));
  return reply;
}

}  // namespace kapok::delivery
