#include "server/picture/delivery/srt/output_shard.hpp"

#include <algorithm>
#include <utility>

namespace kapok::delivery {

void SrtOutputShard::join(std::shared_ptr<SrtReceiver> receiver) {
  if (closed_) return receiver->close("draining");
  std::shared_ptr<Output>& output = outputs_[receiver->channel()];
  const bool fresh = !output || output->ending;
  if (fresh) {
    output = std::make_shared<Output>();
    output->channel = receiver->channel();
  }
  output->receivers.push_back(std::move(receiver));
  if (fresh) tasks.spawn(run(output));
}

void SrtOutputShard::leave(const SrtReceiver& receiver) {
  const auto found = outputs_.find(receiver.channel());
  if (found == outputs_.end()) return;
  Output& output = *found->second;
  std::erase_if(output.receivers, [&](const auto& each) { return each.get() == &receiver; });
  if (output.receivers.empty()) end(output);
}

void SrtOutputShard::end(Output& output) {
  output.ending = true;
  if (output.subscription != nullptr) output.subscription->cancel();
}

void SrtOutputShard::close() {
  closed_ = true;
  for (const auto& [channel, output] : outputs_) end(*output);
}

Task<> SrtOutputShard::run(std::shared_ptr<Output> output) {
  media::SubscribeRequest request;
  request.channel = output->channel;
  request.reader = executor_;
  auto access = co_await source_.subscribe(std::move(request));
  std::string reason;
  if (access) {
    output->subscription = access->subscription.get();
    reason = co_await relay(output);
    output->subscription = nullptr;
  } else {
    reason = access.error().message;
  }
  output->ending = true;
  for (const auto& receiver : std::exchange(output->receivers, {})) receiver->close(reason);
  const auto found = outputs_.find(output->channel);
  if (found != outputs_.end() && found->second == output) outputs_.erase(found);
}

Task<std::string> SrtOutputShard::relay(std::shared_ptr<Output> output) {
  mpegts::TsMuxer muxer;
  while (!output->ending) {
    auto batch = co_await output->subscription->next();
    if (!batch) co_return batch.error().message;
    for (const media::FeedItem& item : batch->items) muxer.write(item);
    for (const std::string& notice : muxer.take_notices())
      log_.warn("srt.output.left_out", {{"channel", output->channel}, {"what", notice}});
    for (const mpegts::TsBlock& block : muxer.take())
      for (const auto& receiver : output->receivers) receiver->deliver(block);
  }
  co_return "nobody is left";
}

}  // namespace kapok::delivery
