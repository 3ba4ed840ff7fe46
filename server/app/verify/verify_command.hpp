// The command line of kapok-verify as a function, so that a test can call it.
#pragma once

#include <string>

namespace kapok::verify_app {

constexpr int kExitGood = 0;
constexpr int kExitBad = 1;    // the log, the checkpoint or the report is not right
constexpr int kExitUsage = 2;  // wrong usage, or files that cannot be read

struct Outcome {
  int exit_code = kExitGood;
  std::string out;
  std::string error;
};

Outcome run(int argc, const char* const* argv);

}  // namespace kapok::verify_app
