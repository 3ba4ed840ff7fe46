#include "transcoder/detect/picture_detector.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "transcoder/detect/drawn_test.hpp"
#include "transcoder/detect/judgements.hpp"

namespace kapok::detect {
namespace {

using media::Anomaly;
using media::AnomalyEvent;
using media::AnomalyState;

struct Shape {
  std::uint32_t width;
  std::uint32_t height;
  std::uint8_t depth;
  bool full_range;
};

class Shapes : public testing::TestWithParam<Shape> {
 protected:
  static DrawnPicture draw(const DrawnPicture::Paint& paint) {
    const Shape& shape = GetParam();
    return {shape.width, shape.height, shape.depth, shape.full_range, paint};
  }
  static SampledPicture sampled(const DrawnPicture& picture) {
    SampledPicture out;
    EXPECT_TRUE(sample(picture.planes(), out));
    return out;
  }
  static Drawn bar(std::uint32_t x, double level) {
    constexpr int kBits[] = {7, 6, 3, 2, 5, 4, 1, 0};
    const int bits = kBits[std::uint64_t{x} * 8 / GetParam().width];
    return of_rgb((bits & 4) != 0 ? level : 0, (bits & 2) != 0 ? level : 0,
                  (bits & 1) != 0 ? level : 0);
  }
};

INSTANTIATE_TEST_SUITE_P(Every, Shapes,
                         testing::Values(Shape{1920, 1080, 8, false}, Shape{1920, 1080, 8, true},
                                         Shape{1280, 720, 10, false}, Shape{1280, 720, 10, true},
                                         Shape{720, 576, 12, false}, Shape{333, 187, 8, false},
                                         Shape{608, 1080, 8, false}, Shape{97, 55, 10, false}));

TEST_P(Shapes, TheScaleIsTheSameWhateverTheDepthAndRange) {
  for (const double level : {0.0, 0.25, 0.5, 1.0}) {
    const SampledPicture grey =
        sampled(draw([&](auto, auto) { return Drawn{level, -level / 2, level / 2}; }));
    for (const int luma : grey.luma) ASSERT_NEAR(luma, level * kWhite, kWhite / 200.0);
    for (const auto& colour : grey.band) {
      ASSERT_NEAR(colour.cb, -level / 2 * kWhite, kWhite / 200.0);
      ASSERT_NEAR(colour.cr, level / 2 * kWhite, kWhite / 200.0);
    }
    EXPECT_LE(grey.luma.size() + 2 * grey.band.size(), 20'000U);
  }
}

TEST_P(Shapes, BlackIsBlackWithALogoAndNotWithMore) {
  const auto with = [&](double share) {
    return sampled(draw([&](std::uint32_t x, std::uint32_t y) {
      // Square parts of both sides: sqrt is close enough for a corner.
      const double side = std::sqrt(share);
      return Drawn{x < GetParam().width * side && y < GetParam().height * side ? 0.9 : 0.01};
    }));
  };
  EXPECT_TRUE(is_black(with(0)));
  EXPECT_TRUE(is_black(with(0.01)));
  EXPECT_FALSE(is_black(with(0.05)));
  EXPECT_FALSE(is_black(sampled(draw([](auto, auto) { return of_rgb(0, 0, 1); }))))
      << "a blue screen has its own name: frozen";
}

TEST_P(Shapes, BarsAreBarsAtBothLevels) {
  for (const double level : {0.75, 1.0})
    EXPECT_TRUE(is_bars(sampled(draw([&](std::uint32_t x, auto) { return bar(x, level); }))));
}

TEST_P(Shapes, LetteringOverBarsLeavesThemBars) {
  const Shape& shape = GetParam();
  EXPECT_TRUE(is_bars(sampled(draw([&](std::uint32_t x, std::uint32_t y) {
    const bool box = x > shape.width * 3 / 8 && x < shape.width * 5 / 8 && y > shape.height * 2 / 5;
    return box ? Drawn{0.02} : bar(x, 0.75);
  }))));
}

TEST_P(Shapes, WhatIsNearlyBarsIsNot) {
  const Shape& shape = GetParam();
  const auto mirrored = draw([&](std::uint32_t x, auto) { return bar(shape.width - 1 - x, 0.75); });
  EXPECT_FALSE(is_bars(sampled(mirrored)));
  const auto lying = draw([&](auto, std::uint32_t y) {
    return bar(static_cast<std::uint32_t>(std::uint64_t{y} * shape.width / shape.height), 0.75);
  });
  EXPECT_FALSE(is_bars(sampled(lying)));
  const auto twice = draw([&](std::uint32_t x, auto) { return bar(x * 2 % shape.width, 0.75); });
  EXPECT_FALSE(is_bars(sampled(twice)));
  const auto no_colour = draw([&](std::uint32_t x, auto) { return Drawn{bar(x, 0.75).luma}; });
  EXPECT_FALSE(is_bars(sampled(no_colour)));
}

TEST(Planes, WhatIsNoPictureIsNotLookedAt) {
  SampledPicture into;
  EXPECT_FALSE(sample({}, into));
  const DrawnPicture drawn(64, 64, 8, false, [](auto, auto) { return Drawn{0.5}; });
  Planes planes = drawn.planes();
  planes.bit_depth = 17;
  EXPECT_FALSE(sample(planes, into));
  planes = drawn.planes();
  planes.cb = {};
  EXPECT_TRUE(sample(planes, into));
  EXPECT_FALSE(is_bars(into));
}

// A short film, one look per picture, at 25 pictures a second.
class Film : public testing::Test {
 protected:
  static constexpr microseconds kFrame{40'000};
  static constexpr microseconds kBegin = seconds(1'790'000'000);

  void show(milliseconds length, const std::function<DrawnPicture(int)>& picture) {
    for (const microseconds end = now_ + length; now_ < end; now_ += kFrame, ++number_)
      if (detector_.wants(now_)) detector_.look(picture(number_).planes(), now_, kFrame, events_);
  }
  static DrawnPicture draw(const DrawnPicture::Paint& paint) { return {320, 180, 8, false, paint}; }
  // Something that changes all over, from picture to picture.
  static DrawnPicture programme(int number) {
    return draw([&](std::uint32_t x, std::uint32_t y) {
      return Drawn{0.2 +
                   0.6 * (((x + 7 * static_cast<std::uint32_t>(number)) / 16 + y / 16) % 5) / 5};
    });
  }
  static DrawnPicture black(int) {
    return draw([](auto, auto) { return Drawn{0.0}; });
  }
  static DrawnPicture bars(int) {
    return draw([](std::uint32_t x, auto) {
      constexpr int kBits[] = {7, 6, 3, 2, 5, 4, 1, 0};
      const int bits = kBits[x / 40];
      return of_rgb((bits & 4) * 0.75 / 4, (bits & 2) * 0.75 / 2, (bits & 1) * 0.75);
    });
  }
  // The same picture each time, under noise of that amplitude (of 1).
  std::function<DrawnPicture(int)> still(double noise, double clock = 0) {
    return [this, noise, clock](int number) {
      std::uniform_real_distribution<double> grain(-noise, noise);
      return draw([&](std::uint32_t x, std::uint32_t y) {
        double luma = 0.3 + 0.4 * ((x / 16 + y / 16) % 3) / 3;
        // A digit, 12 x 20 of 320 x 180, that changes once a second.
        if (x >= 280 && x < 292 && y >= 8 && y < 28 && (number / 25 + x / 4) % 2 == 0)
          luma += clock;
        return Drawn{luma + (noise > 0 ? grain(random_) : 0)};
      });
    };
  }
  void end() { detector_.end(events_); }
  // Those that ended, as "black 1000-4000" in ms after the beginning.
  std::vector<std::string> ended() const {
    std::vector<std::string> out;
    for (const AnomalyEvent& event : events_)
      if (event.state == AnomalyState::ended)
        out.push_back(fmt::format("{} {}-{}", name_of(event.kind),
                                  (event.from - kBegin).count() / 1000,
                                  (event.to - kBegin).count() / 1000));
    return out;
  }

  PictureDetector detector_{media::Detection{}};
  std::vector<AnomalyEvent> events_;
  microseconds now_ = kBegin;
  int number_ = 0;
  std::mt19937 random_{7};
};

TEST_F(Film, EachStretchIsToldOnceWithItsTimes) {
  show(seconds(3), programme);
  show(seconds(3), black);
  show(seconds(3), programme);
  show(seconds(4), bars);
  show(seconds(2), programme);
  show(seconds(8), still(0));
  show(seconds(2), programme);
  end();
  ASSERT_EQ(ended().size(), 3U);
  const auto near = [&](std::size_t i, Anomaly kind, std::int64_t from, std::int64_t to) {
    std::vector<AnomalyEvent> of;
    std::ranges::copy_if(events_, std::back_inserter(of),
                         [](const auto& e) { return e.state == AnomalyState::ended; });
    EXPECT_EQ(of[i].kind, kind);
    EXPECT_NEAR(static_cast<double>((of[i].from - kBegin).count()) / 1e3, static_cast<double>(from),
                130);
    EXPECT_NEAR(static_cast<double>((of[i].to - kBegin).count()) / 1e3, static_cast<double>(to),
                130);
  };
  near(0, Anomaly::black, 3'000, 6'000);
  near(1, Anomaly::bars, 9'000, 13'000);
  near(2, Anomaly::frozen, 15'000, 23'000);
}

TEST_F(Film, WhatIsShorterThanAskedForIsNotTold) {
  show(seconds(2), programme);
  show(milliseconds(800), black);
  show(seconds(2), programme);
  show(milliseconds(1800), bars);
  show(seconds(2), programme);
  show(milliseconds(4500), still(0));
  show(seconds(2), programme);
  end();
  EXPECT_TRUE(events_.empty());
}

TEST_F(Film, ALongOneIsToldWhileItLasts) {
  show(seconds(31), black);
  ASSERT_GE(events_.size(), 6U);
  EXPECT_EQ(events_.front().state, AnomalyState::begun);
  for (std::size_t i = 1; i < events_.size(); ++i) {
    EXPECT_EQ(events_[i].state, AnomalyState::goes_on);
    EXPECT_EQ(events_[i].from, kBegin);
    EXPECT_GE(events_[i].to - events_[i - 1].to, Stretch::kTellEvery);
    EXPECT_LT(events_[i].to - events_[i - 1].to, Stretch::kTellEvery + seconds(1));
  }
}

TEST_F(Film, OneWrongPictureDoesNotEndIt) {
  show(seconds(8), still(0));
  show(milliseconds(120), programme);
  show(seconds(4), still(0));
  show(seconds(1), programme);
  end();
  ASSERT_EQ(ended().size(), 1U);
  EXPECT_TRUE(ended()[0].starts_with("frozen 0-1")) << ended()[0];
}

TEST_F(Film, FromOneFrozenPictureToAnotherAreTwo) {
  show(seconds(7), still(0));
  const DrawnPicture second = programme(3);
  show(seconds(7), [&](int) { return second; });
  end();
  ASSERT_EQ(ended().size(), 2U);
  EXPECT_GE(events_.back().to - events_.back().from, milliseconds(6'800))
      << "the second begins where the first ended, not when that was noticed";
}

TEST_F(Film, GrainLeavesAFrozenPictureFrozen) {
  // Uniform within +-4 of 219: what ffmpeg's noise filter makes of strength 8.
  show(seconds(9), still(0.018));
  end();
  ASSERT_EQ(ended().size(), 1U);
}

TEST_F(Film, AClockInACornerIsNotFrozen) {
  show(seconds(12), still(0, 0.5));
  show(seconds(12), still(0.01, 0.5));
  end();
  EXPECT_TRUE(events_.empty()) << ended()[0];
}

TEST_F(Film, ASlowChangeOfLightIsNotFrozen) {
  // A hall at dusk: one step of 219 in a second.
  show(seconds(15), [&](int number) {
    return draw([&](std::uint32_t x, std::uint32_t y) {
      return Drawn{0.3 + 0.4 * ((x / 32 + y / 32) % 3) / 3 + number / 25.0 / 219};
    });
  });
  end();
  EXPECT_TRUE(events_.empty()) << ended()[0];
}

TEST_F(Film, AGapEndsWhatWasAndADiscontinuityToo) {
  show(seconds(3), black);
  now_ += seconds(2);
  show(seconds(3), black);
  end();
  show(seconds(3), black);
  end();
  ASSERT_EQ(ended().size(), 3U);
  EXPECT_TRUE(ended()[0].starts_with("black 0-29")) << ended()[0];
}

TEST_F(Film, TimeThatGoesBackEndsWhatWas) {
  show(seconds(3), black);
  now_ -= seconds(2);
  show(seconds(3), black);
  end();
  EXPECT_EQ(ended().size(), 2U);
}

TEST_F(Film, NothingIsLookedForThatWasSwitchedOff) {
  media::Detection off;
  off.black = off.frozen = off.bars = microseconds(0);
  PictureDetector detector(off);
  EXPECT_FALSE(detector.wants(kBegin));
  off.frozen = seconds(5);
  detector_ = PictureDetector(off);
  show(seconds(9), black);
  end();
  ASSERT_EQ(ended().size(), 1U);
  EXPECT_TRUE(ended()[0].starts_with("frozen")) << "black is looked for by nobody else";
}

}  // namespace
}  // namespace kapok::detect
