// The program must run on an auditor's machine: libcrypto and the C++ runtime, nothing else.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace kapok::verify_app {
namespace {

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char block[4096];
  while (const std::size_t got = std::fread(block, 1, sizeof block, pipe)) out.append(block, got);
  ::pclose(pipe);
  return out;
}

TEST(KapokVerify, NeedsLibcryptoAndTheRuntimeOnly) {
  // The test stands in the build folder, the program in bin/ beside it.
  const std::string libraries =
      output_of("readelf -d \"$(dirname \"$(readlink -f /proc/$PPID/exe)\")/bin/kapok-verify\"");
  ASSERT_NE(libraries.find("libcrypto.so"), std::string::npos) << libraries;
  for (const char* other : {"libfmt", "libboost", "libssl", "libsqlite", "libz.", "libspdlog"})
    EXPECT_EQ(libraries.find(other), std::string::npos) << other;
}

}  // namespace
}  // namespace kapok::verify_app
