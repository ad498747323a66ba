// Rendering of procedural scenes: bounds of the silhouette, shaded picture, ray intervals, columns. Compiled by nvcc for
// the GPU and by g++ (-x c++) for the CPU; training/scenes/native.py loads either and passes plain pointers.
#include "scene.h"

#ifdef __CUDACC__
#define KERNEL __global__ void
#define FOR_EACH(i, n) for (long i = blockIdx.x * (long)blockDim.x + threadIdx.x; i < (n); i += (long)gridDim.x * blockDim.x)
#define LAUNCH(name, n, stream, ...) name<<<(int)(((n) + 127) / 128), 128, 0, (cudaStream_t)(stream)>>>(__VA_ARGS__)
#else
#define KERNEL static void
#define FOR_EACH(i, n) for (long i = 0; i < (n); ++i)
#define LAUNCH(name, n, stream, ...) name(__VA_ARGS__)
#endif

constexpr int LAYERS = 6;      // intervals kept a ray
constexpr float BALL = 1.02f;  // every scene lies in the ball of radius 1 (times the largest stretch)

struct Ray {
    V3 o, d;
    float near, far;  // distances along the unit direction
    float cosine;     // unit distance -> z-depth
    bool alive;
};
HD Ray make_ray(const float* look, float u, float v) {  // u, v in [-1, 1], v down
    float t = look[12];
    V3 d = load3(look + 9) + load3(look + 3) * (u * t) - load3(look + 6) * (v * t);
    float n = len(d), ball = BALL * fmaxf(look[28], fmaxf(look[29], look[30]));
    Ray r;
    r.o = load3(look);
    r.d = d * (1.0f / n);
    r.cosine = 1.0f / n;
    float b = dot(r.o, r.d), c = dot(r.o, r.o) - ball * ball, q = b * b - c;
    r.alive = q > 0.0f;
    float s = sqrtf(fmaxf(q, 0.0f));
    r.near = fmaxf(-b - s, 0.0f);
    r.far = -b + s;
    return r;
}
HD bool trace(const Ray& r, const float* head, const float* prims, const float* look, int steps, float eps, float& t, Hit& h) {
    t = r.near;
    for (int i = 0; i < steps && t < r.far; ++i) {
        h = scene(r.o + r.d * t, head, prims, look);
        if (h.d < eps) return true;
        t += fmaxf(h.d, 0.6f * eps);
    }
    return false;
}

KERNEL bounds_kernel(const float* heads, const float* prims, const float* looks, int B, int P, int S, int* box) {
    FOR_EACH(i, (long)B * S * S) {
        int b = (int)(i / (S * S)), y = (int)(i / S % S), x = (int)(i % S);
        const float* look = looks + b * LOOK;
        Ray r = make_ray(look, (x + 0.5f) * 2.0f / S - 1.0f, (y + 0.5f) * 2.0f / S - 1.0f);
        if (!r.alive) continue;
        float t;
        Hit h;
        if (!trace(r, heads + b * HEAD, prims + (long)b * P * PRIM, look, 40, 0.004f, t, h)) continue;
#ifdef __CUDACC__
        atomicMin(box + b * 4, x), atomicMin(box + b * 4 + 1, y), atomicMax(box + b * 4 + 2, x), atomicMax(box + b * 4 + 3, y);
#else
        int* o = box + b * 4;
        o[0] = x < o[0] ? x : o[0], o[1] = y < o[1] ? y : o[1], o[2] = x > o[2] ? x : o[2], o[3] = y > o[3] ? y : o[3];
#endif
    }
}

HD V3 normal_at(V3 p, const float* head, const float* prims, const float* look) {
    const float e = 0.0015f;
    V3 a = v3(e, -e, -e), b = v3(-e, -e, e), c = v3(-e, e, -e), d = v3(e, e, e);
    V3 n = a * scene(p + a, head, prims, look).d + b * scene(p + b, head, prims, look).d +
           c * scene(p + c, head, prims, look).d + d * scene(p + d, head, prims, look).d;
    return unit(n);
}
HD V3 shade(V3 p, V3 n, V3 view, int prim, const float* head, const float* prims, const float* look) {
    V3 base = albedo(p, prim, head, prims, look);
    float gloss = prims[prim * PRIM + 33];
    if (head[10] > 0.0f && look[32] == 0.0f) {
        V3 q = p * head[11];
        n = unit(n + v3(noise(q) - 0.5f, noise(q + v3(7.3f, 1.1f, 0)) - 0.5f, noise(q + v3(0, 3.7f, 5.9f)) - 0.5f) * head[10]);
    }
    float occlusion = 0.0f;
    for (int i = 1; i <= 3; ++i) {
        float s = 0.035f * i * i;
        occlusion += (s - fmaxf(scene(p + n * s, head, prims, look).d, 0.0f)) / (s * 3.0f);
    }
    float ao = clampf(1.0f - 0.8f * occlusion, 0.15f, 1.0f);
    V3 l = load3(look + 13);
    float diffuse = fmaxf(dot(n, l), 0.0f), lit = 1.0f;
    if (look[25] > 0.0f && diffuse > 0.0f) {
        float t = 0.03f;
        for (int i = 0; i < 14 && t < 1.2f && lit > 0.02f; ++i) {
            float d = scene(p + n * 0.012f + l * t, head, prims, look).d;
            lit = fminf(lit, clampf(0.5f + 8.0f * d / t, 0.0f, 1.0f));
            t += fmaxf(d, 0.04f);
        }
        lit = 1.0f - look[25] * (1.0f - lit);
    }
    V3 half = unit(l - view);
    float spec = gloss * look[26] * powf(fmaxf(dot(n, half), 0.0f), 8.0f + 60.0f * gloss) * lit;
    float rim = look[27] * powf(1.0f - clampf(-dot(n, view), 0.0f, 1.0f), 3.0f);
    V3 sky = mix(load3(look + 22), load3(look + 19), 0.5f + 0.5f * n.y);
    V3 c = base * (load3(look + 16) * (diffuse * lit) + sky * ao) + load3(look + 16) * spec + sky * rim;
    return c;
}

// rgba: [B, S, S, 4] linear colour, alpha 0 or 1
KERNEL picture_kernel(const float* heads, const float* prims, const float* looks, int B, int P, int S, float* rgba) {
    FOR_EACH(i, (long)B * S * S) {
        // 16 x 8 pixels a block keep neighbouring rays together
        long tile = i / 128, tiles = S / 16 * (S / 8);
        int b = (int)(tile / tiles), k = (int)(tile % tiles), in = (int)(i % 128);
        int x = k % (S / 16) * 16 + in % 16, y = k / (S / 16) * 8 + in / 16;
        const float *look = looks + b * LOOK, *head = heads + b * HEAD, *prim = prims + (long)b * P * PRIM;
        float* out = rgba + (((long)b * S + y) * S + x) * 4;
        out[0] = out[1] = out[2] = out[3] = 0.0f;
        Ray r = make_ray(look, (x + 0.5f) * 2.0f / S - 1.0f, (y + 0.5f) * 2.0f / S - 1.0f);
        float t;
        Hit h;
        if (!r.alive || !trace(r, head, prim, look, 64, 0.0015f, t, h)) continue;
        V3 p = r.o + r.d * t, n = normal_at(p, head, prim, look);
        V3 c = shade(p, n, r.d, h.prim, head, prim, look);
        out[0] = c.x, out[1] = c.y, out[2] = c.z, out[3] = 1.0f;
    }
}

// spans: [B, S, S, 2 * LAYERS] z-depths where the ray enters and leaves, 0 = none; back: [B, S, S, 4] albedo and light of the last exit
KERNEL spans_kernel(const float* heads, const float* prims, const float* looks, int B, int P, int S, float* spans, float* back) {
    FOR_EACH(i, (long)B * S * S) {
        long tile = i / 128, tiles = S / 16 * (S / 8);
        int b = (int)(tile / tiles), k = (int)(tile % tiles), in = (int)(i % 128);
        int x = k % (S / 16) * 16 + in % 16, y = k / (S / 16) * 8 + in / 16;
        const float *look = looks + b * LOOK, *head = heads + b * HEAD, *prim = prims + (long)b * P * PRIM;
        long pixel = ((long)b * S + y) * S + x;
        float *out = spans + pixel * 2 * LAYERS, *color = back + pixel * 4;
        for (int j = 0; j < 2 * LAYERS; ++j) out[j] = 0.0f;
        for (int j = 0; j < 4; ++j) color[j] = 0.0f;
        Ray r = make_ray(look, (x + 0.5f) * 2.0f / S - 1.0f, (y + 0.5f) * 2.0f / S - 1.0f);
        if (!r.alive) continue;
        float t = r.near, before = 1.0f, step = 0.0f;
        bool inside = false;
        int n = 0, last = -1;
        float exit_t = 0.0f;
        for (int j = 0; j < 260 && t < r.far; ++j) {
            Hit h = scene(r.o + r.d * t, head, prim, look);
            bool now = h.d < 0.0f;
            if (now != inside) {
                float at = t - step * clampf(h.d / (h.d - before + (h.d > before ? 1e-9f : -1e-9f)), 0.0f, 1.0f);
                if (n < 2 * LAYERS) out[n] = at * r.cosine;
                else if (!now) out[2 * LAYERS - 1] = at * r.cosine;
                n += n < 2 * LAYERS;
                if (!now) exit_t = at, last = h.prim;
                inside = now;
            }
            before = h.d;
            step = fmaxf(fabsf(h.d), 0.005f);
            t += step;
        }
        if (inside) {
            if (n < 2 * LAYERS) out[n] = fminf(t, r.far) * r.cosine;
            exit_t = fminf(t, r.far), last = 0;
        }
        if (last < 0) continue;
        V3 p = r.o + r.d * exit_t;
        Hit h = scene(p, head, prim, look);
        V3 c = albedo(p, h.prim, head, prim, look);
        color[0] = c.x, color[1] = c.y, color[2] = c.z, color[3] = 1.0f;
    }
}

// The share of every column bin that is solid. spans: as above; frames: [B, 2] (z-depth of zero, size of one unit);
// edges: [K + 1] distances behind the first surface; columns: [B, S * S, K] in 0..255; front: [B, S, S] (unit), far below 0 = none
KERNEL columns_kernel(const float* spans, const float* frames, const float* edges, int B, int N, int K, unsigned char* columns, float* front) {
    FOR_EACH(i, (long)B * N) {
        const float *s = spans + i * 2 * LAYERS, *f = frames + i / N * 2;
        unsigned char* out = columns + i * K;
        if (s[0] <= 0.0f) {
            front[i] = -1e3f;
            for (int k = 0; k < K; ++k) out[k] = 0;
            continue;
        }
        front[i] = (s[0] - f[0]) / f[1];
        float in[LAYERS], off[LAYERS];
        for (int j = 0; j < LAYERS; ++j) {
            in[j] = s[2 * j] > 0.0f ? (s[2 * j] - s[0]) / f[1] : 1e3f;
            off[j] = s[2 * j + 1] > 0.0f ? (s[2 * j + 1] - s[0]) / f[1] : 1e3f;
        }
        for (int k = 0; k < K; ++k) {
            float a = edges[k], b = edges[k + 1], sum = 0.0f;
            for (int j = 0; j < LAYERS; ++j) sum += fmaxf(fminf(b, off[j]) - fmaxf(a, in[j]), 0.0f);
            out[k] = (unsigned char)(clampf(sum / (b - a), 0.0f, 1.0f) * 255.0f + 0.5f);
        }
    }
}

KERNEL field_kernel(const float* head, const float* prims, const float* look, const float* points, long N, float* d, int* prim) {
    FOR_EACH(i, N) {
        Hit h = scene(load3(points + i * 3), head, prims, look);
        d[i] = h.d;
        prim[i] = h.prim;
    }
}

extern "C" {
void scene_bounds(const float* heads, const float* prims, const float* looks, int B, int P, int S, int* box, void* stream) {
    LAUNCH(bounds_kernel, (long)B * S * S, stream, heads, prims, looks, B, P, S, box);
}
void scene_picture(const float* heads, const float* prims, const float* looks, int B, int P, int S, float* rgba, void* stream) {
    LAUNCH(picture_kernel, (long)B * S * S, stream, heads, prims, looks, B, P, S, rgba);
}
void scene_spans(const float* heads, const float* prims, const float* looks, int B, int P, int S, float* spans, float* back, void* stream) {
    LAUNCH(spans_kernel, (long)B * S * S, stream, heads, prims, looks, B, P, S, spans, back);
}
void scene_columns(const float* spans, const float* frames, const float* edges, int B, int N, int K, unsigned char* columns, float* front, void* stream) {
    LAUNCH(columns_kernel, (long)B * N, stream, spans, frames, edges, B, N, K, columns, front);
}
void scene_field(const float* head, const float* prims, const float* look, const float* points, long N, float* d, int* prim, void* stream) {
    LAUNCH(field_kernel, N, stream, head, prims, look, points, N, d, prim);
}
}
