#include "transcoder/device/listing.hpp"

#include <dlfcn.h>

extern "C" {
#include <libavutil/hwcontext_vulkan.h>
}

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>

#include "transcoder/device/probe_sink.hpp"
#include "transcoder/ffmpeg/av_log.hpp"
#include "transcoder/ffmpeg/hw_device.hpp"

namespace kapok::device {

namespace {

constexpr const char* kNodes = "/dev/dri";
constexpr std::string_view kNodePrefix = "renderD";
constexpr unsigned kFirstNode = 128;  // the kernel's first minor for render nodes

struct Unloader {
  void operator()(void* library) const { ::dlclose(library); }
};

// CUDA's driver interface, the little of it that lists GPUs [cuda.h]: its header is not Debian's.
class Cuda {
 public:
  static Result<Cuda> load() {
    Cuda cuda;
    cuda.library_.reset(::dlopen("libcuda.so.1", RTLD_NOW));
    if (!cuda.library_) return fail(Errc::unsupported, "libcuda.so.1 not found");
    const bool whole =
        cuda.find("cuInit", cuda.init_) && cuda.find("cuDeviceGetCount", cuda.count_) &&
        cuda.find("cuDeviceGet", cuda.get_) && cuda.find("cuDeviceGetName", cuda.name_);
    if (!whole) return fail(Errc::unsupported, "libcuda.so.1 lacks cuInit or what lists devices");
    if (const int code = cuda.init_(0); code != 0)
      return fail(Errc::unsupported, "cuInit: error {} (is the driver's kernel module loaded?)",
                  code);
    return cuda;
  }
  Result<std::vector<Found>> list() const {
    int count = 0;
    if (const int code = count_(&count); code != 0 || count == 0)
      return fail(Errc::unsupported, "no GPU (cuDeviceGetCount: error {})", code);
    std::vector<Found> all;
    for (int i = 0; i < count; ++i) {
      char name[256] = "";
      int device = 0;
      if (get_(&device, i) == 0) name_(name, sizeof name - 1, device);
      all.push_back({.id = {media::DeviceKind::nvidia, static_cast<unsigned>(i)},
                     .name = name,
                     .address = std::to_string(i)});
    }
    return all;
  }

 private:
  template <class Function>
  bool find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(::dlsym(library_.get(), name));
    return function != nullptr;
  }
  std::unique_ptr<void, Unloader> library_;
  int (*init_)(unsigned) = nullptr;
  int (*count_)(int*) = nullptr;
  int (*get_)(int*, int) = nullptr;
  int (*name_)(char*, int, int) = nullptr;
};

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "Intel, i915": what the kernel knows of a render node without its driver's library.
std::string name_of_node(const std::string& node) {
  const std::filesystem::path device = std::filesystem::path("/sys/class/drm") / node / "device";
  const std::string vendor = first_line(device / "vendor");
  std::string_view maker = vendor;
  if (vendor == "0x8086") maker = "Intel";
  if (vendor == "0x1002") maker = "AMD";
  if (vendor == "0x10de") maker = "NVIDIA";
  std::error_code none;
  const auto driver = std::filesystem::read_symlink(device / "driver", none).filename().string();
  return fmt::format("{} {}, {}", maker, first_line(device / "device"), driver);
}

Result<std::vector<Found>> list_nodes(media::DeviceKind kind) {
  std::vector<Found> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kNodes, error)) {
    const std::string node = entry.path().filename();
    unsigned minor = 0;
    if (!node.starts_with(kNodePrefix)) continue;
    const char* digits = node.data() + kNodePrefix.size();
    if (std::from_chars(digits, node.data() + node.size(), minor).ec != std::errc() ||
        minor < kFirstNode || minor - kFirstNode > media::kMaxDeviceNumber)
      continue;
    all.push_back(
        {.id = {kind, minor - kFirstNode}, .name = name_of_node(node), .address = entry.path()});
  }
  if (all.empty())
    return fail(Errc::unsupported, "{}/{}{} not found", kNodes, kNodePrefix, kFirstNode);
  std::ranges::sort(all, {}, &Found::id);
  return all;
}

Result<std::vector<Found>> list_vulkan() {
  ProbeSink sink;
  const ffmpeg::AvLog log(sink);
  const auto& row = *ffmpeg::row_of(media::DeviceKind::vulkan);
  const auto first = ffmpeg::HwDevice::open(row, "0");
  if (!first) {
    if (sink.complaint().empty()) return std::unexpected(first.error());
    return fail(Errc::unsupported, "{}", sink.complaint());
  }
  const auto* device = reinterpret_cast<const AVHWDeviceContext*>((*first)->context()->data);
  const auto* vulkan = static_cast<const AVVulkanDeviceContext*>(device->hwctx);
  const auto find = [&](const char* name) { return vulkan->get_proc_addr(vulkan->inst, name); };
  const auto enumerate =
      reinterpret_cast<PFN_vkEnumeratePhysicalDevices>(find("vkEnumeratePhysicalDevices"));
  const auto describe =
      reinterpret_cast<PFN_vkGetPhysicalDeviceProperties>(find("vkGetPhysicalDeviceProperties"));
  if (enumerate == nullptr || describe == nullptr)
    return fail(Errc::unsupported, "the Vulkan loader does not list devices");
  constexpr std::uint32_t kMost = media::kMaxDeviceNumber + 1;
  VkPhysicalDevice devices[kMost] = {};
  std::uint32_t count = kMost;
  if (const VkResult code = enumerate(vulkan->inst, &count, devices); code < 0)
    return fail(Errc::unsupported, "vkEnumeratePhysicalDevices: error {}", static_cast<int>(code));
  std::vector<Found> all;
  for (std::uint32_t i = 0; i < count; ++i) {
    VkPhysicalDeviceProperties facts{};
    describe(devices[i], &facts);
    all.push_back({.id = {media::DeviceKind::vulkan, i},
                   .name = facts.deviceName,
                   .address = std::to_string(i),
                   .is_processor = facts.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU});
  }
  if (all.empty()) return fail(Errc::unsupported, "no Vulkan device");
  return all;
}

}  // namespace

Result<std::vector<Found>> list_devices(media::DeviceKind kind) {
  switch (kind) {
    case media::DeviceKind::software:
      return std::vector<Found>{{.id = {}, .name = "", .address = ""}};
    case media::DeviceKind::nvidia: {
      const Cuda cuda = KAPOK_TRY(Cuda::load());
      return cuda.list();
    }
    case media::DeviceKind::vulkan:
      return list_vulkan();
    default:
      return list_nodes(kind);
  }
}

bool has_gpu_node() {
  std::error_code none;
  return std::filesystem::exists("/dev/nvidiactl", none) || list_nodes(media::DeviceKind::vaapi);
}

}  // namespace kapok::device
