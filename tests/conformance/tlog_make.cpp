// Writes a log for readers that others wrote: tlog_make <folder> <size> [<size>...] makes, for each
// size, <folder>/<size>/ with the static tlog-tiles layout (checkpoint, tile/...), all of the same
// growing log, and the verifier key in <folder>/key.pub. Every size leaves other partial tiles.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/hours/ledger/ledger.hpp"

using namespace kapok;

namespace {

Result<void> make(const std::filesystem::path& folder, const std::vector<std::uint64_t>& sizes) {
  std::filesystem::remove_all(folder);
  NullMetrics metrics;
  ledger::LedgerConfig config;
  config.directory = folder / "ledger";
  config.origin = "conformance.example/kapok";
  config.max_waiting = 2'000'000;
  // A line that other readers do not know: they must ignore it.
  std::vector<std::unique_ptr<const ledger::NoteSigner>> more;
  more.push_back(std::make_unique<ledger::Ed25519Signer>(
      ledger::Ed25519Signer::generate("conformance.example/unknown")));
  const auto log = KAPOK_TRY(ledger::Ledger::open(config, std::move(more), Log(), metrics));
  std::uint64_t written = 0;
  for (const std::uint64_t size : sizes) {
    std::vector<ledger::Leaf> leaves;
    for (; written < size; ++written) {
      ledger::Leaf leaf;
      leaf.credit_ms = static_cast<std::uint32_t>(written);
      leaves.push_back(leaf);
    }
    KAPOK_TRY(log->append(std::move(leaves), nullptr));
    KAPOK_TRY(log->flush());
    const auto to = folder / std::to_string(size);
    std::filesystem::create_directories(to);
    KAPOK_TRY(ledger::export_static(log->source(), size, to));
  }
  const std::string key = log->verifier().text() + "\n";
  return ledger::replace_file(folder / "key.pub", as_bytes(key), 0644);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::uint64_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
  if (sizes.empty()) {
    std::fprintf(stderr, "usage: tlog_make FOLDER SIZE [SIZE...]   (sizes rising)\n");
    return 2;
  }
  const Result<void> made = make(argv[1], sizes);
  if (!made) std::fprintf(stderr, "tlog_make: %s\n", made.error().message.c_str());
  return made ? 0 : 1;
}
