// One kind of anomaly over time: from "this one is, this one is not" to events with a beginning
// that is known once it has lasted, news while it lasts, and an end. Media time only, no clock.
#pragma once

#include <optional>
#include <vector>

#include "server/media/detection.hpp"

namespace kapok::detect {

class Stretch {
 public:
  // What has been told of goes on over this much of something else: an encoder has spoilt a
  // picture, a click is in the silence.
  static constexpr microseconds kBridged{250'000};
  // What an engine that dies leaves untold.
  static constexpr microseconds kTellEvery{5'000'000};
  // Beyond this between two pictures nobody knows what was there.
  static constexpr microseconds kGap{1'000'000};

  // `shortest`: zero looks for nothing.
  Stretch(media::Anomaly kind, microseconds shortest) : kind_(kind), shortest_(shortest) {}

  enum class Found : std::uint8_t { no, yes };
  // Of what lasts from `at` to `until`; times that go back, or a gap, end what was.
  void put(Found found, microseconds at, microseconds until, std::vector<media::AnomalyEvent>& out);
  // What follows does not continue what was.
  void end(std::vector<media::AnomalyEvent>& out);

  bool running() const { return from_.has_value(); }

 private:
  media::AnomalyEvent event(media::AnomalyState state) const;

  media::Anomaly kind_;
  microseconds shortest_;
  std::optional<microseconds> from_;  // of the first such picture
  microseconds to_{0};                // the end of the last such picture
  microseconds seen_{0};              // the end of the last picture
  bool told_ = false;
  microseconds told_to_{0};
};

}  // namespace kapok::detect
