#include "server/picture/channel/worker_link.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "server/picture/wire/writer.hpp"

namespace kapok::channel {

namespace {

// Killed processes end at once, unless they sit in a driver.
constexpr nanoseconds kKilled = seconds(5);

}  // namespace

Task<Result<void>> send(ChildProcess& child, wire::ToWorker message) {
  const auto encoded = wire::encode(message);
  if (!encoded) co_return std::unexpected(encoded.error());
  const std::array buffers{boost::asio::buffer(encoded->head.data(), encoded->head.size()),
                           boost::asio::buffer(encoded->payload.data(), encoded->payload.size())};
  [[maybe_unused]] const auto [error, size] =
      co_await boost::asio::async_write(child.socket(), buffers, kAsValue);
  if (error) co_return fail(Errc::closed, "{}", error.message());
  co_return Result<void>();
}

Task<std::string> end(ChildProcess& child, nanoseconds patience) {
  auto how = co_await child.ended(patience);
  if (!how) {
    child.kill();
    how = co_await child.ended(kKilled);
  }
  co_return how.value_or("it does not even die when killed");
}

void log_notice(const Log& log, std::string_view event, const wire::Notice& notice) {
  const Log::Fields fields{{"what", notice.event}, {"text", notice.text}};
  if (notice.level == LogLevel::error)
    log.error(event, fields);
  else if (notice.level == LogLevel::warn)
    log.warn(event, fields);
  else
    log.info(event, fields);
}

}  // namespace kapok::channel
