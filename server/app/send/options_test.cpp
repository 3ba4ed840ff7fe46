#include "server/app/send/options.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace kapok::send_app {
namespace {

Parsed parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "kapok-send");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

class Secrets : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  void SetUp() override {
    std::string pattern = testing::TempDir() + "kapok-send-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

 private:
  std::filesystem::path folder_;
};

TEST(SendLink, IsReadFromItsUrl) {
  const auto link = parse_link("srt://kapok.example:9000?weight=10&bind=192.168.1.20");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->host, "kapok.example");
  EXPECT_EQ(link->port, 9000);
  EXPECT_EQ(link->weight, 10);
  EXPECT_EQ(link->bind, "192.168.1.20");
  EXPECT_EQ(link->name(), "kapok.example:9000 from 192.168.1.20");
  EXPECT_EQ(parse_link("srt://[2001:db8::1]:9000/")->host, "2001:db8::1");
  EXPECT_EQ(parse_link("srt://[2001:db8::1]:9000")->name(), "[2001:db8::1]:9000");
}

TEST(SendLink, WhatIsNoLinkSaysHowOneLooks) {
  for (const auto* url :
       {"", "udp://a:1", "srt://a", "srt://:9000", "srt://a:0", "srt://a:65536",
        "srt://a:9000?weight=x", "srt://a:9000?bind=", "srt://a:9000?mode=caller"}) {
    const auto link = parse_link(url);
    ASSERT_FALSE(link) << url;
    EXPECT_EQ(link.error().code, Errc::config);
    EXPECT_TRUE(link.error().message.contains("srt://host:port")) << url;
  }
}

TEST_F(Secrets, ChannelAndKeyMakeTheStreamId) {
  const auto key = file("key", "k-123\r\nsecond line\n");
  const auto parsed =
      parse({"--channel", "demo", "--key-file", key.c_str(), "a.ts", "srt://h:9000"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->stream_id, "#!::r=demo,m=publish,u=k-123");
  EXPECT_EQ(parsed.options->pace, Pace::clock);
  EXPECT_FALSE(parsed.options->bond);
}

TEST_F(Secrets, APassphraseIsReadFromAFile) {
  const auto good = file("good", "correct horse battery\n");
  const auto parsed = parse({"--passphrase-file", good.c_str(), "-", "srt://h:9000"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->passphrase, "correct horse battery");
  EXPECT_EQ(parsed.options->pace, Pace::arrival);
  for (const auto& path : {file("short", "short\n"), file("empty", ""), std::string("/nowhere")})
    EXPECT_EQ(parse({"--passphrase-file", path.c_str(), "-", "srt://h:9000"}).exit_code,
              kExitUsage);
}

TEST_F(Secrets, TheCipherIsCounterModeUnlessGcmIsAskedFor) {
  const auto good = file("good", "correct horse battery\n");
  const auto cipher = [&](std::vector<const char*> more) {
    more.insert(more.end(), {"--passphrase-file", good.c_str(), "-", "srt://h:9000"});
    const auto parsed = parse(more);
    return parsed.options ? std::optional(parsed.options->cipher) : std::nullopt;
  };
  EXPECT_EQ(cipher({}), srt::CipherMode::ctr);
  EXPECT_EQ(cipher({"--cipher", "ctr"}), srt::CipherMode::ctr);
  EXPECT_EQ(cipher({"--cipher", "gcm"}), srt::CipherMode::gcm);
  EXPECT_EQ(cipher({"--cipher", "rot13"}), std::nullopt);
}

TEST(SendOptions, SeveralLinksAreBonded) {
  const auto parsed = parse({"--bond", "backup", "--latency", "800", "--pace", "-",
                             "srt://a:1?weight=2", "srt://b:2?weight=1"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->bond, srt::GroupType::backup);
  EXPECT_EQ(parsed.options->links.size(), 2U);
  EXPECT_EQ(parsed.options->latency, milliseconds(800));
  EXPECT_EQ(parsed.options->pace, Pace::clock);
}

TEST(SendOptions, WhatCannotBeIsRefusedWithTheRemedy) {
  const auto refused = [](std::vector<const char*> arguments, std::string_view word) {
    const auto parsed = parse(std::move(arguments));
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, kExitUsage);
    EXPECT_TRUE(parsed.text.contains(word)) << parsed.text;
  };
  refused({"a.ts"}, "LINK");
  refused({"a.ts", "srt://a:1", "srt://b:2"}, "--bond broadcast");
  refused({"--bond", "both", "a.ts", "srt://a:1"}, "broadcast");
  refused({"--loop", "-", "srt://a:1"}, "file");
  refused({"--key-file", "x", "a.ts", "srt://a:1"}, "--channel");
  refused({"--channel", "demo", "--stream-id", "x", "a.ts", "srt://a:1"}, "leave out");
  refused({"--channel", "Not An Id", "a.ts", "srt://a:1"}, "id");
  refused({"--latency", "999999", "a.ts", "srt://a:1"}, "10000");
  refused({"--fec", "fec,cols:1", "a.ts", "srt://a:1"}, "cols");
  refused({"a.ts", "srt://a"}, "port");
  refused({"--cipher", "gcm", "a.ts", "srt://a:1"}, "--passphrase-file");
}

TEST(SendOptions, HelpIsNoError) {
  const auto parsed = parse({"--help"});
  EXPECT_EQ(parsed.exit_code, kExitGood);
  EXPECT_TRUE(parsed.text.contains("srt://"));
}

}  // namespace
}  // namespace kapok::send_app
