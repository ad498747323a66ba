// Enough of CUDA to run a kernel's source on the CPU, one thread after the other: indices, bounds and arithmetic are checked,
// races and streams are not. Torch's headers come first, for they must not see __CUDACC__.
#pragma once
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>
#include <torch/types.h>

#include <limits>

#define __CUDACC__ 1
#undef __host__
#undef __device__
#undef __forceinline__
#define __global__ static
#define __device__ inline
#define __host__
#define __constant__ static const
#define __forceinline__

struct Index {
  unsigned x = 0;
};
static Index blockIdx, threadIdx, blockDim;

// for (Launch l(blocks, threads); l.next();) kernel(...);
struct Launch {
  long blocks, threads, at = -1;
  Launch(unsigned b, int t) : blocks(b), threads(t) {
    TORCH_CHECK(b > 0, "a launch of no blocks is an error on a device");
    blockDim.x = t;
  }
  bool next() {
    if (++at >= blocks * threads) return false;
    blockIdx.x = at / threads;
    threadIdx.x = at % threads;
    return true;
  }
};

inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline void atomicMin(long long* at, long long v) {
  if (v < *at) *at = v;
}
inline void atomicAdd(int* at, int v) { *at += v; }

namespace c10::cuda {
struct CUDAGuard {
  explicit CUDAGuard(c10::Device) {}
};
inline int getCurrentCUDAStream() { return 0; }
}  // namespace c10::cuda
#define C10_CUDA_KERNEL_LAUNCH_CHECK() (void)0
