#include "server/picture/channel/channel.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/base/overloaded.hpp"
#include "server/media/describe.hpp"
#include "server/media/dolby_vision.hpp"

namespace kapok::channel {
namespace {

media::Packet at_place(const media::Packet& packet, const Placed& placed) {
  media::Packet out = packet;
  out.dts = placed.dts;
  out.pts = placed.pts;
  out.duration = placed.duration;
  return out;
}

}  // namespace

Channel::Channel(const ChannelConfig& config, ChannelServices services,
                 std::unique_ptr<Rendering> rendering)
    : id_(config.id),
      title_(config.title),
      segment_target_(config.packager.segment_target),
      services_(std::move(services)),
      era_(std::move(rendering), services_.clock, services_.log),
      rungs_(services_.transcoder,
             {services_.home, services_.clock, services_.log, services_.metrics, config.id,
              services_.evidence, services_.devices},
             era_),
      readers_(std::make_shared<FeedReaders>(
          services_.home,
          FeedReaders::Series{services_.metrics.gauge("kapok_channel_readers",
                                                      "Outputs that read the channel as a feed",
                                                      {{"channel", config.id}}),
                              services_.metrics.counter(
                                  "kapok_channel_reader_skipped_packets_total",
                                  "Packets that slow readers missed", {{"channel", config.id}})})),
      live_(services_.metrics.gauge("kapok_channel_live", "1 while a feed is on air",
                                    {{"channel", config.id}})),
      eras_(services_.metrics.counter("kapok_channel_eras_total",
                                      "Eras begun: one more than discontinuities",
                                      {{"channel", config.id}})) {
  for (const FeedConfig& feed : config.feeds) feeds_.push_back(make_feed(feed));
  rungs_.configure(config.ladder);
}

Channel::~Channel() {
  // Sinks may outlive us; they must not find us.
  for (Feed& feed : feeds_)
    if (feed.session) feed.session->detach();
  // Readers close with their last holder: one may be leaving just now, on the home shard.
}

Channel::Feed Channel::make_feed(const FeedConfig& config) const {
  const MetricLabels labels{{"channel", id_}, {"feed", config.name}};
  Metrics& metrics = services_.metrics;
  Feed feed;
  feed.name = config.name;
  feed.priority = config.priority;
  feed.credential = sha256(as_bytes(config.credential));
  feed.packets = &metrics.counter("kapok_feed_packets_total", "Packets received", labels);
  feed.bytes = &metrics.counter("kapok_feed_bytes_total", "Payload bytes received", labels);
  feed.dropped = &metrics.counter(
      "kapok_feed_dropped_packets_total",
      "Packets given to nobody: before the first sync packet, stale, refused", labels);
  feed.drift = &metrics.gauge("kapok_feed_drift_ppm",
                              "The encoder's clock against ours; positive: fast", labels);
  feed.discontinuities = &metrics.counter("kapok_feed_discontinuities_total",
                                          "Clock jumps and changes of parameters", labels);
  return feed;
}

Channel::Feed* Channel::find(std::string_view name) {
  const auto found = std::ranges::find(feeds_, name, &Feed::name);
  return found == feeds_.end() ? nullptr : &*found;
}

Result<void> Channel::open() {
  return era_.open();
}

Result<media::FeedGrant> Channel::publish(const std::string& name, media::PublishRequest request) {
  if (closed_) return fail(Errc::closed, "channel {} is closing", id_);
  Feed* feed = find(name);
  if (feed == nullptr) return fail(Errc::not_found, "channel {} has no feed {}", id_, name);
  const MonoTime now = services_.clock.mono();
  if (feed->session) {
    const nanoseconds silence = now - feed->session->last_sign();
    if (silence < kReplaceableAfter)
      return fail(Errc::conflict,
                  "feed {} of channel {} is being published; it can be taken over once its "
                  "publisher has been silent for {} s",
                  name, id_, std::chrono::duration_cast<seconds>(kReplaceableAfter).count());
    end_session(*feed, media::FeedEnd::replaced, "replaced by another publisher");
  }
  services_.log.info("feed.opened",
                     {{"feed", name}, {"peer", request.peer}, {"encoder", request.encoder}});
  feed->session = std::make_shared<FeedSession>(*this, name, std::move(request), *feed->dropped,
                                                now, services_.clock.utc());
  return media::FeedGrant{
      name,
      std::make_shared<ShardSink>(services_.home, feed->session, services_.clock, SinkLimits{}),
      services_.home};
}

Result<media::FeedAccess> Channel::subscribe(media::SubscribeRequest request) {
  if (closed_) return fail(Errc::closed, "channel {} is closing", id_);
  media::FeedAccess access;
  access.subscription = KAPOK_TRY(readers_->add(std::move(request.reader), request.limits));
  access.on_air = on_air_ != nullptr ? media::OnAir::now : media::OnAir::not_yet;
  return access;
}

void Channel::reconfigure(const ChannelConfig& config) {
  title_ = config.title;
  era_.set_window(config.packager.window, config.packager.window_bytes);
  rungs_.configure(config.ladder);
  std::vector<Feed> wanted;
  for (const FeedConfig& feed : config.feeds) {
    Feed* old = find(feed.name);
    Feed fresh = make_feed(feed);
    if (old != nullptr && old->credential != fresh.credential && old->session)
      end_session(*old, media::FeedEnd::error, "its key was changed");
    if (old != nullptr) {
      fresh.session = std::move(old->session);
      fresh.last_end = old->last_end;
    }
    wanted.push_back(std::move(fresh));
  }
  for (Feed& feed : feeds_)
    if (feed.session) end_session(feed, media::FeedEnd::error, "the feed was removed");
  feeds_ = std::move(wanted);
}

Task<> Channel::close() {
  closed_ = true;
  for (Feed& feed : feeds_)
    if (feed.session) end_session(feed, media::FeedEnd::error, "the channel is closing");
  readers_->close();
  co_await rungs_.close();
  co_await era_.close();
}

Result<void> Channel::take(FeedSession& session, media::FeedItem item) {
  // An error ends the feed: nothing more of it, not even its end, will come through the sink.
  const auto refused = [&](Result<void> taken) {
    if (!taken) close_session(session, media::FeedEnd::error, taken.error().message);
    return taken;
  };
  return std::visit(Overloaded{
                        [&](std::shared_ptr<const media::Track>& track) {
                          return refused(take_track(session, track));
                        },
                        [&](std::shared_ptr<const media::Packet>& packet) {
                          take_packet(session, std::move(packet));
                          return Result<void>();
                        },
                        [&](media::Discontinuity) {
                          break_era(session, "announced by the feed");
                          return Result<void>();
                        },
                        [&](media::EndOfFeed end) {
                          end_session(*find(session.feed()), end.reason, {});
                          return Result<void>();
                        },
                    },
                    item);
}

Result<void> Channel::take_track(FeedSession& session,
                                 const std::shared_ptr<const media::Track>& track) {
  const TrackNews news = KAPOK_TRY(session.announce(track));
  switch (news) {
    case TrackNews::ignored:
      services_.log.warn("feed.track_ignored", {{"feed", session.feed()},
                                                {"track", track->id},
                                                {"codec", media::name_of(track->codec)}});
      break;
    case TrackNews::beside:
      services_.log.warn("feed.track_not_packaged",
                         {{"feed", session.feed()},
                          {"track", track->id},
                          {"codec", media::name_of(track->codec)},
                          {"packaged", "H.264 HEVC AV1, AAC Opus AC-3 E-AC-3 FLAC"}});
      [[fallthrough]];
    case TrackNews::beside_updated:
      if (session.at_gate()) break;
      readers_->track(session.show(track->id));
      rungs_.track({{}, session.track(track->id).rendered});
      break;
    case TrackNews::changed:
      break_era(session, "its parameters changed");
      break;
    case TrackNews::unchanged:
    case TrackNews::fresh:
    case TrackNews::updated:
      break;
  }
  const media::VideoFacts* video = track->video();
  if (news != TrackNews::unchanged && video != nullptr && video->dolby_vision &&
      media::dolby_vision::needs_decoder(*video->dolby_vision))
    services_.log.warn("feed.needs_dolby_vision",
                       {{"feed", session.feed()},
                        {"track", track->id},
                        {"profile", media::dolby_vision::profile_name(*video->dolby_vision)},
                        {"send", "profile 8.1 or 8.4"}});
  return {};
}

void Channel::break_era(FeedSession& session, std::string_view why) {
  if (session.at_gate()) {
    session.wait_at_gate();
    return;
  }
  session.count_discontinuity();
  find(session.feed())->discontinuities->increment();
  services_.log.warn("feed.discontinuity", {{"feed", session.feed()}, {"why", why}});
  session.continuity_broken = true;
  session.wait_at_gate();
  if (on_air_ == &session) rungs_.end();
}

FeedSession* Channel::chosen(MonoTime now) const {
  // The usual case: one feed.
  if (feeds_.size() == 1) return feeds_.front().session.get();
  std::vector<FeedStanding> standings;
  std::optional<std::size_t> current;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const Feed& feed = feeds_[i];
    FeedStanding standing{
        .priority = feed.priority, .connected = feed.session != nullptr, .last_packet = {}};
    if (feed.session) standing.last_packet = feed.session->last_packet();
    if (feed.session && feed.session.get() == on_air_) current = i;
    standings.push_back(standing);
  }
  const auto best = choice_.choose(standings, current, now);
  return best ? feeds_[*best].session.get() : nullptr;
}

void Channel::take_packet(FeedSession& session, std::shared_ptr<const media::Packet> packet) {
  Feed& feed = *find(session.feed());
  feed.packets->increment();
  feed.bytes->add(static_cast<double>(packet->payload.size()));
  FeedSession::TrackState* track = session.measure(packet);
  if (track == nullptr) {
    session.drop(1);
    return;
  }
  if (!session.carries(*track)) {
    if (!session.at_gate()) relay(session, *track, *packet);
    return;
  }
  const bool wanted = chosen(packet->arrival) == &session;
  if (session.at_gate()) {
    if (wanted) {
      hold(session, *track, std::move(packet));
      if (session.gate().ready()) go_on_air(session);
    } else if (session.gate().bytes() > 0) {
      session.gate().clear();
    }
    return;
  }
  // Not the chosen one, but on air until the chosen one is ready.
  put_out(session, packet);
}

void Channel::hold(FeedSession& session, const FeedSession::TrackState& track,
                   std::shared_ptr<const media::Packet> packet) {
  const auto feed = feed_time(packet->dts, track.announced->timescale);
  if (!feed) {
    session.drop(1);
    return;
  }
  const nanoseconds composition =
      media::to_nanoseconds(packet->pts - packet->dts, track.announced->timescale);
  session.gate().add({std::move(packet), *feed, composition});
}

void Channel::go_on_air(FeedSession& session) {
  GateOpening opening = session.gate().open();
  AirRequest request;
  request.feed = session.feed();
  request.arrival = MonoTime(opening.feed + opening.delay);
  request.continuity = session.continuity_broken ? Continuity::broken : Continuity::may_continue;
  for (const media::TrackId id : opening.tracks) {
    if (!media::is_packaged(session.track(id).announced->codec)) continue;
    const auto first = std::ranges::find_if(
        opening.packets, [&](const HeldPacket& held) { return held.packet->track == id; });
    request.tracks.push_back(session.render(session.track(id), *first->packet));
  }
  if (on_air_ != nullptr && on_air_ != &session) on_air_->wait_at_gate();
  on_air_ = &session;
  era_.set_live();
  live_.set(1);
  std::vector<packaging::RenditionTrack> tracks = request.tracks;
  const EraKeeper::Start start = era_.begin(std::move(request));
  if (start.new_era) eras_.increment();
  services_.log.info("feed.on_air", {{"feed", session.feed()}, {"new_era", start.new_era}});
  session.continuity_broken = false;
  session.air_start = start.at;
  session.lead = opening.composition;
  session.timeline().anchor(opening.feed, MonoTime(opening.feed + opening.delay),
                            start.at - session.lead);
  session.leave_gate();
  session.show_all();
  for (const auto& [id, track] : session.tracks())
    if (track.rendered && track.rendition.empty()) tracks.push_back({{}, track.rendered});
  rungs_.start(tracks);
  readers_->start();
  for (const auto& [id, track] : session.tracks())
    if (track.rendered) readers_->track(track.rendered);
  for (const HeldPacket& held : opening.packets) {
    // A jump among them starts the waiting again; the rest is from before it.
    if (session.at_gate()) break;
    put_out(session, held.packet);
  }
}

void Channel::put_out(FeedSession& session, const std::shared_ptr<const media::Packet>& packet) {
  FeedSession::TrackState& track = session.track(packet->track);
  const bool video = track.announced->kind == media::TrackKind::video;
  // A track that comes late begins where it can be decoded.
  if (!track.rendered && video && !packet->sync) {
    session.drop(1);
    return;
  }
  Placed placed;
  switch (session.timeline().place(*packet, placed)) {
    case Placement::stale:
      session.drop(1);
      return;
    case Placement::jumped:
      break_era(session, "its clock jumped");
      hold(session, track, packet);
      return;
    case Placement::placed:
      break;
  }
  if (!track.rendered) {  // one that is packaged: the others are shown as they are announced
    era_.add_track(session.render(track, *packet));
    rungs_.track({track.rendition, track.rendered});
    readers_->track(track.rendered);
  } else if (track.complete_at_next_sync && (packet->sync || !video)) {
    era_.update_track(session.render(track, *packet));
    rungs_.track({track.rendition, track.rendered});
    readers_->track(track.rendered);
  }
  const Timescale timescale = track.rendered->timescale;
  if (media::to_nanoseconds(placed.pts, timescale) + nanoseconds(1000) < session.air_start) {
    session.drop(1);  // sound from before the first picture
    return;
  }
  if (video && packet->sync) review(session, track, packet->arrival);
  const auto out = std::make_shared<const media::Packet>(at_place(*packet, placed));
  const ChannelTime end = session.timeline().end() + session.lead;
  if (!media::is_packaged(track.announced->codec)) {
    era_.go_on(packet->arrival, end);
  } else if (auto appended = era_.append(track.rendition, *out, end); !appended) {
    session.drop(1);
    if (!std::exchange(session.told_of_refusal, true))
      services_.log.error("feed.packet_refused", {{"feed", session.feed()},
                                                  {"rendition", track.rendition},
                                                  {"why", appended.error().message}});
    return;
  } else {
    rungs_.packet(*out);
  }
  if (readers_->empty()) return;
  const bool entry = video ? packet->sync : !session.has_picture();
  readers_->packet(out, entry ? FeedReaders::Place::sync : FeedReaders::Place::inside);
}

// What is not packaged goes to the readers and the transcoder, on the times of what is.
void Channel::relay(FeedSession& session, FeedSession::TrackState& track,
                    const media::Packet& packet) {
  const bool is_source = rungs_.wants(packet.track);
  if (readers_->empty() && !is_source) return;
  const auto placed = session.timeline().place_beside(packet, track.announced->timescale,
                                                      track.rendered->timescale);
  if (!placed) {
    session.drop(1);
    return;
  }
  auto out = at_place(packet, *placed);
  if (track.relayed_until) out.dts = std::max(out.dts, *track.relayed_until);
  track.relayed_until = out.dts;
  if (is_source) rungs_.packet(out);
  readers_->packet(std::make_shared<const media::Packet>(std::move(out)),
                   FeedReaders::Place::inside);
}

void Channel::review(FeedSession& session, const FeedSession::TrackState& track, MonoTime arrival) {
  Timeline& timeline = session.timeline();
  if (const auto gop = track.meter.gop()) {
    const auto gops = (segment_target_ + *gop - nanoseconds(1)) / *gop;
    timeline.set_segment_duration(*gop * std::max<std::int64_t>(1, gops));
  }
  find(session.feed())->drift->set(timeline.drift_ppm());
  constexpr nanoseconds kAhead = seconds(5);
  if (timeline.end() - timeline.clock().at(arrival) > kAhead &&
      !std::exchange(session.told_of_haste, true))
    services_.log.warn("feed.faster_than_real_time",
                       {{"feed", session.feed()},
                        {"effect", "times run ahead of the clock, players cannot follow"},
                        {"remedy", "send in real time, for example ffmpeg -re"}});
}

void Channel::close_session(FeedSession& session, media::FeedEnd reason, std::string_view why) {
  if (Feed* feed = find(session.feed()); feed != nullptr && feed->session.get() == &session)
    end_session(*feed, reason, why);
}

void Channel::end_session(Feed& feed, media::FeedEnd reason, std::string_view why) {
  // Kept alive until the end: the caller may be one of its functions.
  const std::shared_ptr<FeedSession> session = std::exchange(feed.session, nullptr);
  feed.last_end = reason;
  services_.log.info(
      "feed.closed",
      {{"feed", feed.name}, {"peer", session->peer()}, {"reason", name_of(reason)}, {"why", why}});
  if (on_air_ == session.get()) {
    on_air_ = nullptr;
    rungs_.end();
    era_.set_idle();
    readers_->end(reason);
    live_.set(0);
  }
  auto tell = session->detach();
  // Ours to end, not the connection's: it does not know yet. Posted, because we may be inside its
  // own call.
  if (!why.empty() && tell)
    boost::asio::post(services_.home,
                      [tell = std::move(tell), why = std::string(why)] { tell(why); });
}

ChannelFacts Channel::facts() const {
  ChannelFacts facts;
  facts.id = id_;
  facts.title = title_;
  facts.live = era_.live();
  facts.live_since = era_.live_since();
  facts.eras = era_.eras();
  facts.end = UtcTime(std::chrono::duration_cast<microseconds>(era_.end()));
  facts.poster = era_.poster();
  facts.ladder = rungs_.facts();
  facts.anomalies = rungs_.anomalies();
  for (const Feed& feed : feeds_) {
    FeedFacts& out = facts.feeds.emplace_back();
    out.name = feed.name;
    out.priority = feed.priority;
    out.last_end = feed.last_end;
    out.on_air = feed.session && feed.session.get() == on_air_;
    if (feed.session) feed.session->fill(out, services_.clock.mono());
  }
  return facts;
}

}  // namespace kapok::channel
