// How a feed's tracks are called as renditions: `source`, `source-2` for video, `audio-<language>`
// or `audio-<number>` for sound. Always valid ids, never twice, and the same for the same tracks,
// so that a publisher who reconnects continues the renditions that it left.
#pragma once

#include <map>
#include <string>

#include "server/media/track.hpp"

namespace kapok::channel {

class RenditionNames {
 public:
  // The name of a video or audio track; a track keeps its name. Other kinds have none (asserts).
  const std::string& name(const media::Track& track);

 private:
  bool taken(const std::string& name) const;
  std::map<media::TrackId, std::string> names_;
  unsigned videos_ = 0;
  unsigned audios_ = 0;
};

}  // namespace kapok::channel
