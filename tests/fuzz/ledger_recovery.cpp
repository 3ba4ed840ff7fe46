// Arbitrary bytes as the entries file of a log without a checkpoint: opening keeps a prefix of
// whole entries, never more, and the log can be written and read afterwards.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "server/hours/ledger/log_files.hpp"
#include "server/hours/ledger/log_source.hpp"

namespace {

using namespace kapok;

// Gone when the process ends, by a finding too.
struct Folder {
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  const std::filesystem::path path = [] {
    const std::filesystem::path memory = "/dev/shm";
    return (std::filesystem::is_directory(memory) ? memory
                                                  : std::filesystem::temp_directory_path()) /
           ("kapok-fuzz-ledger-" + std::to_string(::getpid()));
  }();
};

const std::filesystem::path& folder() {
  static const Folder kFolder;
  return kFolder.path;
}

void require(bool holds) {
  if (holds) return;
  std::filesystem::remove_all(folder());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ledger::Ed25519Signer kSigner = ledger::Ed25519Signer::generate("fuzz.example/log");
  const ledger::Ed25519Verifier verifier = kSigner.verifier();
  std::filesystem::remove(folder() / "entries.torn");
  {
    std::ofstream out(folder() / "entries", std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  auto log = ledger::LogFiles::open(folder(), verifier);
  require(log.has_value());
  require(log->size() <= size / ledger::kEntryBytes);
  require(log->size() * ledger::kEntryBytes + log->recovery().torn_bytes == size);
  const std::vector<ledger::LeafBytes> one{encode(ledger::Leaf())};
  require(log->append(one).has_value());
  const auto source = ledger::DenseLog::open(folder());
  require(source.has_value());
  std::uint64_t seen = 0;
  const auto read = for_each_entry(*source, 0, log->size(), [&](std::uint64_t, ByteSpan entry) {
    require(ledger::is_whole(entry));
    static_cast<void>(ledger::decode_leaf(entry));
    ++seen;
    return Result<void>();
  });
  require(read.has_value() && seen == log->size());
  require(ledger::tree_root(*source, log->size()).has_value());
  return 0;
}
