#include "server/app/server/api_bindings.hpp"

#include <algorithm>

#include "server/app/server/off_shard.hpp"
#include "server/base/crypto.hpp"
#include "server/hours/report/hours_report.hpp"
#include "server/media/supplemental.hpp"

namespace kapok::app {

api::ChannelView ApiBindings::view_of(channel::ChannelFacts facts) const {
  api::ChannelView view;
  const auto show = [&view](const channel::TrackFacts& track) {
    if (track.rendition.empty() || track.codec_string.empty()) return;
    api::RenditionView rendition;
    rendition.id = track.rendition;
    rendition.kind = track.kind;
    rendition.codec_string = track.codec_string;
    rendition.language = track.language;
    rendition.bandwidth = track.bits_per_second;
    if (track.video) {
      rendition.width = track.video->width;
      rendition.height = track.video->height;
      rendition.frame_rate = track.frames_per_second;
      rendition.range = media::offered_range(*track.video);
    }
    view.renditions.push_back(std::move(rendition));
  };
  for (const channel::FeedFacts& feed : facts.feeds)
    if (feed.on_air) std::ranges::for_each(feed.tracks, show);
  // A rung without a codec has not come yet.
  if (facts.live && facts.ladder)
    for (const channel::RungFacts& rung : facts.ladder->rungs) show(rung.track);
  if (const auto catalogue = this->catalogue()) {
    if (const catalogue::Programme* on = catalogue->find(facts.id, parts_.clock.utc()))
      view.programme = api::ProgrammeView{on->id, on->title, on->from, on->to, on->free};
  }
  if (parts_.ladders.of(facts.id)) view.ladder_origin = api::LadderOrigin::api;
  // As in the configuration, where the lowest number goes first; the channel takes the largest.
  for (channel::FeedFacts& feed : facts.feeds) feed.priority = -feed.priority;
  view.facts = std::move(facts);
  return view;
}

Task<std::vector<api::ChannelView>> ApiBindings::list() {
  auto all = co_await parts_.channels.all_facts();
  std::vector<api::ChannelView> views;
  for (channel::ChannelFacts& facts : all) views.push_back(view_of(std::move(facts)));
  co_return views;
}

Task<Result<api::ChannelView>> ApiBindings::find(std::string channel) {
  auto facts = co_await parts_.channels.facts(std::move(channel));
  if (!facts) co_return std::unexpected(std::move(facts).error());
  co_return view_of(*std::move(facts));
}

Task<std::vector<api::SrtFeedView>> ApiBindings::srt_feeds(std::string channel) {
  auto all = co_await parts_.srt_feeds();
  std::vector<api::SrtFeedView> views;
  for (ingest::SrtFeedStats& feed : all)
    if (feed.channel == channel)
      views.push_back({std::move(feed.feed), feed.bonded, std::move(feed.transport),
                       std::move(feed.peers), feed.ts.continuity_errors});
  co_return views;
}

Task<Result<api::OpenedSession>> ApiBindings::open(api::SessionRequest request) {
  const auto known = co_await parts_.channels.facts(request.channel);
  if (!known) co_return std::unexpected(known.error());
  const auto offer = parts_.metering.open_session({.channel = request.channel});
  if (!offer) co_return std::unexpected(offer.error());
  co_return api::OpenedSession{offer->session, offer->token, offer->expires,
                               offer->beacon_interval};
}

Result<void> ApiBindings::check_owner(std::string_view token, std::string_view session) const {
  const auto opened = parts_.signer.open(token, parts_.clock.utc());
  if (!opened) return std::unexpected(opened.error());
  if (to_hex(opened->session) != session)
    return fail(Errc::denied, "the token is another session's");
  return {};
}

Task<Result<void>> ApiBindings::beacon(std::string session, metering::BeaconReport report) {
  KAPOK_CO_TRY(check_owner(report.token, session));
  co_return parts_.metering.beacon(report);
}

Task<Result<void>> ApiBindings::close(std::string session, std::string token) {
  KAPOK_CO_TRY(check_owner(token, session));
  metering::BeaconReport report;
  report.token = std::move(token);
  // Above every number that a player may send: whatever comes later is too late.
  report.sequence = metering::kMaxBeaconSequence + 1;
  report.state = metering::PlayState::ended;
  co_return parts_.metering.beacon(report);
}

Task<api::SessionCounts> ApiBindings::counts() {
  api::SessionCounts counts;
  for (const auto& [channel, open] : parts_.metering.open_sessions()) {
    counts.channels.push_back({channel, open});
    counts.open += open;
  }
  co_return counts;
}

Task<Result<std::string>> ApiBindings::hours(api::ReportQuery query) {
  auto text = co_await off_shard<std::string>(
      parts_.office, [this, query = std::move(query)] { return write_report(query); });
  co_return text;
}

Result<std::string> ApiBindings::write_report(const api::ReportQuery& query) const {
  // What has been watched up to now is in the figures, as far as it can be judged.
  parts_.metering.settle();
  KAPOK_TRY(parts_.ledger.flush());
  const auto published = parts_.ledger.published();
  if (!published) return fail(Errc::not_found, "the log has no checkpoint yet: wait a second");
  report::HoursQuery hours;
  hours.from = query.from;
  hours.to = query.to;
  hours.enterprise = query.enterprise;
  hours.channel = query.channel;
  hours.programme = query.programme;
  const auto made = KAPOK_TRY(report::make_hours_report(parts_.ledger.source(), published->note,
                                                        hours, parts_.clock.utc()));
  return query.format == api::ReportFormat::csv ? report::to_csv(made) : report::to_json(made);
}

Task<Result<std::string>> ApiBindings::checkpoint() {
  const auto published = parts_.ledger.published();
  if (!published) co_return fail(Errc::not_found, "the log has no checkpoint yet: wait a second");
  co_return published->note;
}

Task<Result<Buffer>> ApiBindings::tile(ledger::TilePath path) {
  auto bytes = co_await off_shard<Buffer>(parts_.office, [this, path]() -> Result<Buffer> {
    return Buffer(KAPOK_TRY(parts_.ledger.read_tile(path)));
  });
  co_return bytes;
}

Task<Result<api::MadeKey>> ApiBindings::make(std::string channel, std::string feed) {
  auto made = co_await off_shard<api::MadeKey>(
      parts_.office, [this, channel, feed]() -> Result<api::MadeKey> {
        return api::MadeKey{KAPOK_TRY(parts_.keys.make(channel, feed))};
      });
  if (made) co_await parts_.keys_changed();
  co_return made;
}

Task<Result<void>> ApiBindings::revoke(std::string channel, std::string feed) {
  auto revoked = co_await off_shard<void>(
      parts_.office, [this, channel, feed] { return parts_.keys.revoke(channel, feed); });
  if (revoked) co_await parts_.keys_changed();
  co_return revoked;
}

Task<Result<std::vector<media::Ladder>>> ApiBindings::presets() {
  auto read = co_await off_shard<std::vector<media::Ladder>>(
      parts_.office, [this] { return parts_.ladders.presets(); });
  co_return read;
}

Task<std::expected<media::Ladder, api::Problem>> ApiBindings::set_ladder(
    std::string channel, boost::json::object wanted) {
  using Set = std::expected<media::Ladder, LadderBook::Refusal>;
  auto ran = co_await off_shard<Set>(parts_.office,
                                     [this, channel, wanted = std::move(wanted)]() -> Result<Set> {
                                       return parts_.ladders.set(channel, wanted);
                                     });
  if (!ran) co_return std::unexpected(api::Problem(std::move(ran).error()));
  if (!*ran) {
    LadderBook::Refusal refusal = std::move(*ran).error();
    if (refusal.code == Errc::config)
      co_return std::unexpected(
          api::Problem(422, "ladder_wrong", std::move(refusal.cause), std::move(refusal.remedy)));
    co_return std::unexpected(api::Problem(Error{refusal.code, std::move(refusal.cause)}));
  }
  co_await parts_.ladders_changed();
  co_return **std::move(ran);
}

Task<Result<void>> ApiBindings::reset_ladder(std::string channel) {
  auto reset = co_await off_shard<void>(parts_.office,
                                        [this, channel] { return parts_.ladders.reset(channel); });
  if (reset) co_await parts_.ladders_changed();
  co_return reset;
}

Task<std::vector<vod::ItemFacts>> ApiBindings::vod_items() {
  const auto list = [](vod::Library& library) -> Task<std::vector<vod::ItemFacts>> {
    co_return library.list();
  };
  auto items = co_await on_shard(parts_.library_home, list(parts_.library));
  co_return items;
}

Task<Result<vod::ItemFacts>> ApiBindings::vod_item(std::string id) {
  const auto find = [](vod::Library& library, std::string item) -> Task<Result<vod::ItemFacts>> {
    co_return library.find(item);
  };
  auto found = co_await on_shard(parts_.library_home, find(parts_.library, std::move(id)));
  co_return found;
}

Task<Result<vod::ItemFacts>> ApiBindings::add_vod(api::VodRequest request) {
  const std::string name = request.ladder;
  const std::function<Result<media::Ladder>()> read = [this, name] {
    return parts_.find_ladder(name);
  };
  auto ladder = co_await off_shard<media::Ladder>(parts_.office, read);
  if (!ladder) co_return std::unexpected(std::move(ladder).error());
  vod::ItemRequest item{std::move(request.id), std::move(request.title), std::move(request.file),
                        *std::move(ladder), request.publish_source};
  const auto add = [](vod::Library& library,
                      vod::ItemRequest wanted) -> Task<Result<vod::ItemFacts>> {
    co_return library.add(std::move(wanted));
  };
  auto added = co_await on_shard(parts_.library_home, add(parts_.library, std::move(item)));
  co_return added;
}

Task<Result<void>> ApiBindings::remove_vod(std::string id) {
  auto removed = co_await on_shard(parts_.library_home, parts_.library.remove(std::move(id)));
  co_return removed;
}

api::Roles ApiBindings::roles_of(std::string_view authorization) const {
  return {.admin = parts_.admin.accepts(authorization),
          .regulator = parts_.regulator.accepts(authorization)};
}

std::vector<api::NotReady> ApiBindings::not_ready() const {
  std::vector<api::NotReady> reasons;
  if (parts_.draining)
    reasons.push_back({"server", "it is draining before it ends", "send new requests elsewhere"});
  return reasons;
}

}  // namespace kapok::app
