// For tests of the listener: it on a free port, with the doubles that all listeners share.
#pragma once

#include "server/media/feed_doubles_test.hpp"
#include "server/picture/ingest/rtmp/listener.hpp"

namespace kapok::ingest::test {

using media::test::FakeDirectory;
using media::test::ffmpeg;
using media::test::RecordingLog;
using media::test::RecordingSink;
using media::test::Shards;

// A listener on a free port of the loopback, over `shards` threads, whose feeds live on the last.
struct Listening {
  explicit Listening(std::size_t shard_count, RtmpListenerOptions options = {},
                     std::shared_ptr<net::TlsContext> tls = nullptr)
      : shards(shard_count), directory(shards.executors().back()), log(make_log()) {
    options.address = "127.0.0.1";
    options.port = 0;
    options.tls_port = 0;
    listener = std::make_unique<RtmpListener>(
        options, RtmpListenerServices{shards.executors(), directory, std::move(tls), clock,
                                      Log(log), metrics});
    started = listener->start();
  }
  ~Listening() { shards.run(listener->drain(nanoseconds(0))); }

  Shards shards;
  FakeDirectory directory;
  SystemClock clock;
  NullMetrics metrics;
  std::shared_ptr<RecordingLog> log;
  std::unique_ptr<RtmpListener> listener;
  Result<void> started;

 private:
  static std::shared_ptr<RecordingLog> make_log() { return std::make_shared<RecordingLog>(); }
};

}  // namespace kapok::ingest::test
