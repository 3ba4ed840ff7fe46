// The track of a lane whose configuration stands in the stream itself: described from it, marked
// with where it comes from, and announced through the outlet.
#pragma once

#include <memory>

#include "server/base/buffer.hpp"
#include "server/media/describe.hpp"
#include "server/picture/containers/mpegts/lane.hpp"
#include "server/picture/containers/mpegts/outlet.hpp"

namespace kapok::mpegts {

// In ticks of 90 kHz.
media::TrackDraft draft_of(const StreamInfo& info, Buffer config);

// The track as announced; null when it could not be described, which is noted.
std::shared_ptr<const media::Track> announce(const media::TrackDraft& draft, const StreamInfo& info,
                                             Outlet& outlet);

// Gives a picture, before it the track again when its sync access unit tells more of it.
void give_picture(std::shared_ptr<const media::Track>& track, media::Packet picture,
                  Outlet& outlet);

}  // namespace kapok::mpegts
