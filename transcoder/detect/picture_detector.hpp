// Looks at decoded pictures, ten a second, and tells of those that are no programme: black, frozen,
// colour bars. Knows no engine and no clock; one thread. Costs what sampling costs
// (sampled_picture.hpp) and holds two sampled pictures.
#pragma once

#include <optional>
#include <vector>

#include "server/media/detection.hpp"
#include "transcoder/detect/sampled_picture.hpp"
#include "transcoder/detect/stretch.hpp"

namespace kapok::detect {

class PictureDetector {
 public:
  // Events are that exact; half of it on average.
  static constexpr microseconds kLookEvery{100'000};

  explicit PictureDetector(const media::Detection& detection);

  // Whether look() has any use for a picture of this time: before copying one from a device.
  bool wants(microseconds at) const;
  // A picture that is shown from `at` for `duration`; times are channel time and rise.
  void look(const Planes& planes, microseconds at, microseconds duration,
            std::vector<media::AnomalyEvent>& out);
  // What follows does not continue what was.
  void end(std::vector<media::AnomalyEvent>& out);

 private:
  struct Sampled {
    SampledPicture picture;
    microseconds at{0};
  };
  void look_for_still(microseconds at, microseconds until, std::vector<media::AnomalyEvent>& out);

  media::Detection detection_;
  Stretch black_;
  Stretch frozen_;
  Stretch bars_;
  std::optional<microseconds> looked_;  // at the newest picture
  Sampled now_;
  // What a frozen picture would be, and what the first picture that differed from it was: a new
  // one begins there, unless the old one comes back.
  std::optional<Sampled> reference_;
  std::optional<Sampled> other_;
};

}  // namespace kapok::detect
