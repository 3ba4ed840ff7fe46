// The two clocks. mono() never steps and is what durations, deadlines and drift are measured with;
// utc() is the wall clock, which NTP or a person may step. Logic takes `now` as an argument or a
// `const Clock&`, never the system's clock directly, so that tests can turn 48 hours in a second.
#pragma once

#include <chrono>
#include <string>

namespace kapok {

using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using UtcTime = std::chrono::sys_time<std::chrono::microseconds>;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime mono() const = 0;
  virtual UtcTime utc() const = 0;
};

class SystemClock final : public Clock {
 public:
  MonoTime mono() const override { return std::chrono::steady_clock::now(); }
  UtcTime utc() const override {
    return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
  }
};

// For tests: both clocks stand still until told to move.
class FakeClock final : public Clock {
 public:
  MonoTime mono() const override { return mono_; }
  UtcTime utc() const override { return utc_; }
  void advance(nanoseconds by) {
    mono_ += by;
    utc_ += std::chrono::duration_cast<microseconds>(by);
  }
  // The wall clock alone, as NTP would.
  void step_utc(microseconds by) { utc_ += by; }

 private:
  MonoTime mono_{seconds(1'000)};
  UtcTime utc_{seconds(1'790'000'000)};
};

// "2026-11-23T15:43:52.123Z"; always UTC, always milliseconds.
std::string format_utc(UtcTime time);

}  // namespace kapok
