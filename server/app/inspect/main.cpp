// kapok-inspect: prints a recording of the wire between a channel and its transcoder.
#include <cstdio>

#include "server/app/inspect/inspect_command.hpp"

int main(int argc, char** argv) {
  const auto print_to = [](std::FILE* file) {
    return [file](std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); };
  };
  return kapok::inspect::run(argc, argv, {print_to(stdout), print_to(stderr)});
}
