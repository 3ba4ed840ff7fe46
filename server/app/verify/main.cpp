// kapok-verify: the auditor's offline tool. Opens a log (the server's folder, or one downloaded
// from /log/) and recomputes every hash, every tile, and every figure of a report.
#include <cstdio>

#include "server/app/verify/verify_command.hpp"

int main(int argc, char** argv) {
  const kapok::verify_app::Outcome outcome = kapok::verify_app::run(argc, argv);
  std::fwrite(outcome.out.data(), 1, outcome.out.size(), stdout);
  std::fwrite(outcome.error.data(), 1, outcome.error.size(), stderr);
  return outcome.exit_code;
}
