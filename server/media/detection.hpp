// What a worker looks for in the pictures and the sound that it decodes anyway, and what it says of
// it: black, a frozen picture, colour bars, silence, with times. Plain values: the ladder's file
// sets what is looked for, the wire carries both.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"

namespace kapok::media {

// A stretch shorter than the shortest is an effect of the programme, or two pictures; what has not
// been found after the longest, nobody waits for.
constexpr microseconds kShortestDetection = milliseconds(500);
constexpr microseconds kLongestDetection = std::chrono::minutes(10);
constexpr std::uint32_t kMaxFrozenNoise = 100;  // beyond it any still scene is frozen

// How long each must last to be told of; 0: it is not looked for.
struct Detection {
  microseconds black = seconds(1);
  microseconds frozen = seconds(5);
  microseconds bars = seconds(2);
  microseconds silence = seconds(5);
  // What two pictures of a frozen one may differ by, everywhere: thousandths of the range from
  // black to white, on average. Encoders at low bit rates leave 2 to 6, film grain 5 to 15.
  std::uint32_t frozen_noise = 15;
  bool pictures() const { return (black + frozen + bars).count() > 0; }
  bool operator==(const Detection&) const = default;
};
// Errors: config; the message begins with the key.
Result<void> validate(const Detection& detection);

// A picture is one of the first three at most: bars before black before frozen.
enum class Anomaly : std::uint8_t { black, frozen, bars, silence };
constexpr std::size_t kAnomalies = 4;
std::string_view name_of(Anomaly kind);

enum class AnomalyState : std::uint8_t { begun, goes_on, ended };

// Half-open, in channel time since 1970: from the first such picture to the end of the newest one.
struct AnomalyEvent {
  Anomaly kind = Anomaly::black;
  AnomalyState state = AnomalyState::begun;
  microseconds from{0};
  microseconds to{0};
  bool operator==(const AnomalyEvent&) const = default;
};

}  // namespace kapok::media
