#include "transcoder/gstreamer/toolbox.hpp"

#include <gtest/gtest.h>

#include "transcoder/gstreamer/gst.hpp"

namespace kapok::gstreamer {
namespace {

using media::Codec;

TEST(Toolbox, EveryElementWasTriedAndARefusalHasItsReason) {
  const Toolbox toolbox("auto");
  for (const Tried& one : toolbox.tried()) {
    SCOPED_TRACE(one.element);
    // av1enc of GStreamer 1.22 hands no request for a key frame on; all else that is in Debian's
    // packages works.
    const bool lacking = one.element == "av1enc";
    if (one.device == "software") EXPECT_EQ(one.reason.empty(), !lacking) << one.reason;
    if (!has_element(one.element)) EXPECT_TRUE(one.reason.starts_with("not there"));
  }
  for (const Codec codec : {Codec::avc, Codec::hevc})
    EXPECT_TRUE(toolbox.encoder(codec, 8).has_value()) << name_of(codec);
  for (const Codec codec : {Codec::avc, Codec::hevc, Codec::av1})
    EXPECT_TRUE(toolbox.decoder(codec).has_value()) << name_of(codec);
}

TEST(Toolbox, AnErrorNamesEachElementAndItsReason) {
  const Toolbox toolbox("software");
  const auto missing = toolbox.encoder(Codec::av1, 10);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::unsupported);
  EXPECT_NE(missing.error().message.find("av1enc: "), std::string::npos) << missing.error().message;
  EXPECT_EQ(missing.error().message.find("nv"), std::string::npos) << missing.error().message;
}

}  // namespace
}  // namespace kapok::gstreamer
