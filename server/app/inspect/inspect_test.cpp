#include "server/app/inspect/inspect_command.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server/picture/wire/writer.hpp"

namespace kapok::inspect {
namespace {

struct Printed {
  int exit_code = 0;
  std::string out;
  std::string error;
};

Printed inspect(std::initializer_list<const char*> arguments) {
  Printed printed;
  std::vector<const char*> argv{"kapok-inspect"};
  argv.insert(argv.end(), arguments);
  printed.exit_code = run(static_cast<int>(argv.size()), argv.data(),
                          {[&](std::string_view text) { printed.out += text; },
                           [&](std::string_view text) { printed.error += text; }});
  return printed;
}

class KapokInspect : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / fmt::format("kapok-inspect-{}", ::getpid());
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void record(std::string_view more = {}) {
    media::Packet packet;
    packet.track = 1;
    packet.dts = {90'000};
    packet.payload = Buffer::copy_of("picture");
    std::ofstream file(path_, std::ios::binary);
    for (const wire::ToWorker& message :
         {wire::ToWorker(wire::Hello{}), wire::ToWorker(wire::SourcePacket{packet, true})}) {
      const wire::Encoded encoded = *wire::encode(message);
      file << encoded.head.text() << encoded.payload.text();
    }
    file << more;
  }
  const char* file() const { return path_.c_str(); }

 private:
  std::filesystem::path path_;
};

TEST_F(KapokInspect, PrintsALinePerMessage) {
  record();
  const Printed printed = inspect({file()});
  EXPECT_EQ(printed.exit_code, kExitGood) << printed.error;
  EXPECT_EQ(printed.out,
            fmt::format("         0 hello version={}\n"
                        "        14 source_packet track=1 dts=90000 pts=0 duration=0 sync=false "
                        "payload_bytes=7 segment_start=true\n",
                        wire::kVersion));
}

TEST_F(KapokInspect, PrintsJson) {
  record();
  const Printed printed = inspect({"--json", file()});
  EXPECT_EQ(printed.exit_code, kExitGood);
  EXPECT_TRUE(printed.out.starts_with(
      fmt::format("{{\"offset\":0,\"message\":\"hello\",\"version\":{}}}\n", wire::kVersion)))
      << printed.out;
}

TEST_F(KapokInspect, SaysWhereARecordingBreaks) {
  record("nonsense, and more of it");
  const Printed printed = inspect({file()});
  EXPECT_EQ(printed.exit_code, kExitBad);
  EXPECT_NE(printed.out.find("source_packet"), std::string::npos);
  EXPECT_NE(printed.error.find("at byte 70: no header"), std::string::npos) << printed.error;
}

TEST_F(KapokInspect, SaysThatARecordingIsCutShort) {
  record("KpkW");
  const Printed printed = inspect({file()});
  EXPECT_EQ(printed.exit_code, kExitBad);
  EXPECT_NE(printed.error.find("ends inside a message"), std::string::npos) << printed.error;
}

TEST_F(KapokInspect, SaysWhatIsWrongWithItsUse) {
  EXPECT_EQ(inspect({"/nowhere/at/all"}).exit_code, kExitUsage);
  EXPECT_EQ(inspect({}).exit_code, kExitUsage);
  const Printed help = inspect({"--help"});
  EXPECT_EQ(help.exit_code, kExitGood);
  EXPECT_NE(help.out.find("--json"), std::string::npos);
}

}  // namespace
}  // namespace kapok::inspect
