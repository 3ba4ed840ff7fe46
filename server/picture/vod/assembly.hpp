// What one run of a worker makes of a file, put together: which renditions there are, their cuts,
// and their segments on the disk. Takes the worker's messages and believes none of them: what does
// not fit is an error, after which the worker is ended. The library's thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/picture/channel/rendition_names.hpp"
#include "server/picture/vod/cutter.hpp"
#include "server/picture/vod/item_facts.hpp"
#include "server/picture/vod/item_folder.hpp"
#include "server/picture/wire/messages.hpp"

namespace kapok::vod {

class Assembly {
 public:
  // Goes on behind the segments that the folder has.
  Assembly(ItemFolder& folder, media::Ladder ladder, std::uint64_t segments);

  Result<void> take(const wire::FileTrack& file);
  Result<void> take(const wire::FilePacket& file);
  Result<void> take(const wire::FileSegment& segment);
  Result<void> take(const wire::RungTrack& rung);
  Result<void> take(wire::RungPacket rung);
  // A thumbnail is of a segment's first picture. What is of none is left out.
  Result<void> take(const media::Image& image);
  // The worker is through. Errors: unsupported (nothing to watch), malformed (a rendition is not
  // whole).
  Result<void> finish();

  // Known once the first segment begins.
  const std::string& leading() const { return leading_; }
  // The ladder's rungs of each of the file's sounds.
  const std::vector<media::AudioRung>& sounds() const { return sound_rungs_; }
  const std::vector<media::RungLeftOut>& left_out() const { return left_out_; }
  media::Rational frame_rate() const { return frame_rate_; }
  // How far all renditions are, counted from the file's begin.
  nanoseconds made() const;
  std::uint64_t segments() const;

 private:
  struct Rendition {
    std::unique_ptr<Cutter> cutter;  // none: its track was not told yet
  };
  Result<void> fit();
  Result<void> begin(const std::string& name, const std::shared_ptr<const media::Track>& track,
                     bool rung);
  Result<void> append(const std::string& name, const media::Packet& packet);
  Result<void> write(const std::string& name);

  ItemFolder& folder_;
  const media::Ladder ladder_;
  Boundaries boundaries_;
  channel::RenditionNames names_;
  std::vector<std::string> published_;         // by track, empty: it is not
  std::shared_ptr<const media::Track> video_;  // what rungs are made of
  std::vector<media::AudioSource> sounds_;     // in the order in which the worker counts them
  bool fitted_ = false;
  std::map<std::string, Rendition, std::less<>> renditions_;
  std::set<std::string, std::less<>> rungs_;
  std::vector<media::AudioRung> sound_rungs_;
  std::string leading_;
  std::uint64_t newest_thumbnail_ = 0;
  std::vector<media::RungLeftOut> left_out_;
  media::Rational frame_rate_;
  std::vector<CutSegment> cut_;
};

}  // namespace kapok::vod
