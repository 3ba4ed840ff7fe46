#include "server/picture/containers/mpegts/described_track.hpp"

#include <utility>

#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

media::TrackDraft draft_of(const StreamInfo& info, Buffer config) {
  media::TrackDraft draft;
  draft.id = info.id;
  draft.codec = info.codec;
  draft.timescale = kClockRate;
  draft.config = std::move(config);
  draft.language = info.language;
  return draft;
}

std::shared_ptr<const media::Track> announce(const media::TrackDraft& draft, const StreamInfo& info,
                                             Outlet& outlet) {
  const auto described = media::describe_track(draft);
  if (!described) {
    outlet.note(fmt::format("PID {}: {}", info.id, described.error().message));
    return nullptr;
  }
  media::Track with_origin = **described;
  with_origin.ts = info.ts;
  auto track = std::make_shared<const media::Track>(std::move(with_origin));
  outlet.give(track);
  return track;
}

void give_picture(std::shared_ptr<const media::Track>& track, media::Packet picture,
                  Outlet& outlet) {
  picture.track = track->id;
  picture.sync = media::is_sync(*track, picture.payload.bytes());
  if (picture.sync) {
    auto more = media::enriched(track, picture.payload.bytes());
    if (more != track) {
      track = std::move(more);
      outlet.give(track);
    }
  }
  outlet.give(std::move(picture));
}

}  // namespace kapok::mpegts
