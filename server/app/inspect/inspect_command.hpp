// The command line of kapok-inspect as a function, so that a test can call it. Prints as it reads:
// memory is bounded by one message, however long the recording is.
#pragma once

#include <functional>
#include <string_view>

namespace kapok::inspect {

constexpr int kExitGood = 0;
constexpr int kExitBad = 1;    // the recording breaks the wire's rules, or ends inside a message
constexpr int kExitUsage = 2;  // wrong usage, or a file that cannot be read

struct Output {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> error;
};

int run(int argc, const char* const* argv, const Output& output);

}  // namespace kapok::inspect
