// How a feed's tracks are called as renditions: `source`, `source-2` for video, `audio-<language>`
// or `audio-<number>` for sound. Always valid ids, never twice, and the same for the same tracks,
// so that a publisher who reconnects continues the renditions that it left.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/media/ladder.hpp"
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

// The track of a rung, as it is published. Rungs of one language are the same sound at several
// rates, between which players switch. Of sounds whose language nobody said that is not so, nor of
// several in one language (a commentary beside the sound of the place): all but the first get a
// private subtag [BCP 47 2.2.7], the number that the feed's own rendition has in its name. `made`:
// the ladder's rungs as they were fitted; `languages`: of the sounds that they were fitted to.
std::shared_ptr<const media::Track> told_apart(std::span<const media::AudioRung> made,
                                               std::span<const std::string> languages,
                                               std::string_view rung,
                                               std::shared_ptr<const media::Track> track);

}  // namespace kapok::channel
