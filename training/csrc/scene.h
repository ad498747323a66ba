// Signed distance and colour of a procedural scene: one source for the GPU (nvcc) and the CPU twin (g++).
// A scene is a list of primitives, PRIM floats each; training/scenes/layout.py names every slot.
#pragma once
#include <math.h>

#ifdef __CUDACC__
#define HD __host__ __device__ __forceinline__
#define CALLED __host__ __device__ __noinline__  // one copy: a dozen inlined ones overflow the instruction cache
#else
#define HD inline
#define CALLED inline
#endif

constexpr int PRIM = 40;    // floats a primitive
constexpr int HEAD = 16;    // floats of a scene's header
constexpr int LOOK = 40;    // floats of a camera with its light

struct V3 {
    float x, y, z;
};
HD V3 v3(float x, float y, float z) { return V3{x, y, z}; }
HD V3 load3(const float* p) { return V3{p[0], p[1], p[2]}; }
HD V3 operator+(V3 a, V3 b) { return v3(a.x + b.x, a.y + b.y, a.z + b.z); }
HD V3 operator-(V3 a, V3 b) { return v3(a.x - b.x, a.y - b.y, a.z - b.z); }
HD V3 operator*(V3 a, V3 b) { return v3(a.x * b.x, a.y * b.y, a.z * b.z); }
HD V3 operator*(V3 a, float s) { return v3(a.x * s, a.y * s, a.z * s); }
HD float dot(V3 a, V3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
HD float len(V3 a) { return sqrtf(dot(a, a)); }
HD float len2(float x, float y) { return sqrtf(x * x + y * y); }
HD V3 unit(V3 a) { return a * (1.0f / fmaxf(len(a), 1e-9f)); }
HD float clampf(float x, float a, float b) { return fminf(fmaxf(x, a), b); }
HD V3 mix(V3 a, V3 b, float t) { return a * (1.0f - t) + b * t; }

// ---- distances of the primitives (exact or bounded from below), all in their own frame -----------------------
HD float sd_ellipsoid(V3 q, const float* d) {
    V3 a = v3(q.x / d[0], q.y / d[1], q.z / d[2]);
    V3 b = v3(a.x / d[0], a.y / d[1], a.z / d[2]);
    float k0 = len(a), k1 = len(b);
    if (k1 < 1e-6f) return -fminf(d[0], fminf(d[1], d[2]));
    return k0 * (k0 - 1.0f) / k1;
}
HD float sd_box(V3 q, const float* d) {
    float x = fabsf(q.x) - d[0], y = fabsf(q.y) - d[1], z = fabsf(q.z) - d[2];
    float out = len(v3(fmaxf(x, 0.0f), fmaxf(y, 0.0f), fmaxf(z, 0.0f)));
    return out + fminf(fmaxf(x, fmaxf(y, z)), 0.0f);
}
HD float fold_radius(V3 q, float sides) {  // distance from the axis: of a circle, or of a regular polygon's nearest side
    if (sides < 2.5f) return len2(q.x, q.z);
    float sector = 6.2831853f / sides, a = atan2f(q.z, q.x);
    a -= sector * floorf(a / sector + 0.5f);
    return len2(q.x, q.z) * cosf(a);
}
HD float sd_cone(V3 q, const float* d) {  // radius d0 at the bottom, d1 at the top, half height d2, d3 sides (0 = round)
    float r = fold_radius(q, d[3]), h = d[2], r1 = d[0], r2 = d[1];
    float cax = r - fminf(r, q.y < 0.0f ? r1 : r2), cay = fabsf(q.y) - h;
    float kx = r2 - r1, ky = 2.0f * h;
    float t = clampf(((r2 - r) * kx + (h - q.y) * ky) / (kx * kx + ky * ky), 0.0f, 1.0f);
    float cbx = r - r2 + kx * t, cby = q.y - h + ky * t;
    float s = (cbx < 0.0f && cay < 0.0f) ? -1.0f : 1.0f;
    return s * sqrtf(fminf(cax * cax + cay * cay, cbx * cbx + cby * cby));
}
HD float sd_capsule(V3 q, const float* d) {  // round cone from the origin (radius d0) to y = d2 (radius d1)
    float r = len2(q.x, q.z), h = d[2], b = (d[0] - d[1]) / h;
    if (fabsf(b) >= 1.0f) return len(q) - fmaxf(d[0], d[1]);
    float a = sqrtf(1.0f - b * b), k = -b * r + a * q.y;
    if (k < 0.0f) return len2(r, q.y) - d[0];
    if (k > a * h) return len2(r, q.y - h) - d[1];
    return r * a + q.y * b - d[0];
}
HD float sd_torus(V3 q, const float* d) { return len2(len2(q.x, q.z) - d[0], q.y) - d[1]; }
HD float sd_arc(V3 q, const float* d) {  // part of a torus in the x-y plane, open below: half angle d2, ends round
    float x = fabsf(q.x), sn = sinf(d[2]), cs = cosf(d[2]);
    float k = cs * x > sn * q.y ? x * sn + q.y * cs : len2(x, q.y);
    return sqrtf(fmaxf(x * x + q.y * q.y + q.z * q.z + d[0] * d[0] - 2.0f * d[0] * k, 0.0f)) - d[1];
}
HD float sd_frame(V3 q, const float* d) {  // the edges of a box, d3 thick
    float e = d[3];
    float x = fabsf(q.x) - d[0], y = fabsf(q.y) - d[1], z = fabsf(q.z) - d[2];
    float u = fabsf(x + e) - e, v = fabsf(y + e) - e, w = fabsf(z + e) - e;
    float a = len(v3(fmaxf(x, 0.0f), fmaxf(v, 0.0f), fmaxf(w, 0.0f))) + fminf(fmaxf(x, fmaxf(v, w)), 0.0f);
    float b = len(v3(fmaxf(u, 0.0f), fmaxf(y, 0.0f), fmaxf(w, 0.0f))) + fminf(fmaxf(u, fmaxf(y, w)), 0.0f);
    float c = len(v3(fmaxf(u, 0.0f), fmaxf(v, 0.0f), fmaxf(z, 0.0f))) + fminf(fmaxf(u, fmaxf(v, z)), 0.0f);
    return fminf(a, fminf(b, c));
}

// ---- one primitive at a point of the object's frame ------------------------------------------------------------
HD V3 to_local(V3 p, const float* g) {  // mirror, radial copies, own frame (before linear copies)
    int mirror = (int)g[3];
    if (mirror & 1) p.x = fabsf(p.x);
    if (mirror & 2) p.z = fabsf(p.z);
    if (g[4] == 1.0f) {
        float r = len2(p.x, p.z), sector = 6.2831853f / g[5], a = atan2f(p.z, p.x) - g[37];
        a -= sector * floorf(a / sector + 0.5f);
        p.x = r * cosf(a);
        p.z = r * sinf(a);
    }
    p = p - load3(g + 7);
    return v3(dot(load3(g + 10), p), dot(load3(g + 13), p), dot(load3(g + 16), p));
}
HD float copies(float x, float count, float spacing) {
    float half = 0.5f * (count - 1.0f);
    return x - (clampf(floorf(x / spacing + half + 0.5f), 0.0f, count - 1.0f) - half) * spacing;
}
HD float sd_local(V3 q, const float* g) {
    if (g[4] == 2.0f) {
        q.x = copies(q.x, g[5], g[6]);
        if (g[38] > 1.0f) q.z = copies(q.z, g[38], g[39]);
    }
    q.y -= g[34] * q.x * q.x;
    float d;
    switch ((int)g[0]) {
        case 0: d = sd_ellipsoid(q, g + 19); break;
        case 1: d = sd_box(q, g + 19); break;
        case 2: d = sd_cone(q, g + 19); break;
        case 3: d = sd_capsule(q, g + 19); break;
        case 4: d = sd_torus(q, g + 19); break;
        case 5: d = sd_arc(q, g + 19); break;
        default: d = sd_frame(q, g + 19); break;
    }
    d -= g[23];
    if (g[32] > 0.0f) d = fabsf(d) - g[32];
    return d * g[36];
}

struct Hit {
    float d;   // signed distance, negative inside
    int prim;  // whose surface it is
};
HD V3 deform(V3 p, const float* head, const float* look) {
    p = v3(p.x / look[28], p.y / look[29], p.z / look[30]);
    if (head[1] != 0.0f) {
        float c = cosf(head[1] * p.y), s = sinf(head[1] * p.y);
        p = v3(c * p.x - s * p.z, p.y, s * p.x + c * p.z);
    }
    p.x -= head[2] * p.y * p.y;
    return p;
}
CALLED Hit scene(V3 world, const float* head, const float* prims, const float* look) {
    V3 p = deform(world, head, look);
    Hit h = {1e3f, 0};
    int n = (int)head[0];
    for (int i = 0; i < n; ++i) {
        const float* g = prims + i * PRIM;
        V3 q = to_local(p, g);
        float far = len(q) - g[35], k = g[2];
        if (g[1] == 0.0f) {
            if (far - k > h.d) continue;
            float d = sd_local(q, g);
            if (d < h.d) h.prim = i;
            if (k > 0.0f) {
                float t = clampf(0.5f + 0.5f * (h.d - d) / k, 0.0f, 1.0f);
                h.d = h.d + (d - h.d) * t - k * t * (1.0f - t);
            } else {
                h.d = fminf(h.d, d);
            }
        } else {
            if (far - k > -h.d) continue;
            float d = -sd_local(q, g);
            if (d > h.d) h.prim = i;
            if (k > 0.0f) {
                float t = clampf(0.5f - 0.5f * (h.d - d) / k, 0.0f, 1.0f);
                h.d = h.d + (d - h.d) * t + k * t * (1.0f - t);
            } else {
                h.d = fmaxf(h.d, d);
            }
        }
    }
    if (head[4] > 0.0f && fabsf(h.d) < 4.0f * head[4]) {
        float f = head[5];
        h.d += head[4] * (sinf(f * p.x) * sinf(f * p.y + 1.0f) * sinf(f * p.z + 2.0f) +
                          0.4f * sinf(2.3f * f * p.x + 1.7f) * sinf(2.3f * f * p.y) * sinf(2.3f * f * p.z));
    }
    h.d *= head[9] * look[31];
    return h;
}

// ---- colour ------------------------------------------------------------------------------------------------------
HD float hash3(int x, int y, int z) {
    unsigned h = (unsigned)x * 374761393u + (unsigned)y * 668265263u + (unsigned)z * 2147483647u;
    h = (h ^ (h >> 13)) * 1274126177u;
    h ^= h >> 16;
    return (float)(h & 0xffffffu) / 16777216.0f;
}
HD float noise(V3 p) {  // value noise in [0, 1]
    float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
    int x = (int)fx, y = (int)fy, z = (int)fz;
    float u = p.x - fx, v = p.y - fy, w = p.z - fz;
    u = u * u * (3.0f - 2.0f * u), v = v * v * (3.0f - 2.0f * v), w = w * w * (3.0f - 2.0f * w);
    float a = hash3(x, y, z) * (1 - u) + hash3(x + 1, y, z) * u, b = hash3(x, y + 1, z) * (1 - u) + hash3(x + 1, y + 1, z) * u;
    float c = hash3(x, y, z + 1) * (1 - u) + hash3(x + 1, y, z + 1) * u;
    float d = hash3(x, y + 1, z + 1) * (1 - u) + hash3(x + 1, y + 1, z + 1) * u;
    return (a * (1 - v) + b * v) * (1 - w) + (c * (1 - v) + d * v) * w;
}
CALLED V3 albedo(V3 world, int prim, const float* head, const float* prims, const float* look) {
    const float* g = prims + prim * PRIM;
    V3 p = deform(world, head, look), q = to_local(p, g), a = load3(g + 24), b = load3(g + 29);
    float s = g[28], t = 0.0f;
    switch ((int)g[27]) {
        case 1: t = sinf(s * q.y) > 0.0f; break;
        case 2: t = sinf(s * q.x) * sinf(s * q.y) * sinf(s * q.z) > 0.0f; break;
        case 3: t = clampf(1.6f * noise(p * s) - 0.3f, 0.0f, 1.0f); break;
        case 4: t = noise(p * s) > 0.62f; break;
        case 5: t = clampf(0.5f + q.y * s * 0.2f, 0.0f, 1.0f); break;
        case 6: {  // bricks, planks
            float row = floorf(q.y * s * 0.5f), u = q.x * s * 0.25f + q.z * s * 0.25f + 0.5f * row;
            t = (q.y * s * 0.5f - row < 0.12f) || (u - floorf(u) < 0.06f);
            break;
        }
        case 7: t = 0.5f + 0.5f * sinf(s * (len2(q.x, q.z) + 0.15f * noise(p * 4.0f))); break;
        case 8: t = sinf(s * q.x) > 0.0f; break;
        default: break;
    }
    V3 c = mix(mix(a, b, t), load3(look + 33), look[32]);
    if (look[32] > 0.0f) return c;
    float grain = 1.0f + head[12] * (noise(p * head[11]) + 0.5f * noise(p * (2.7f * head[11])) - 0.75f);
    return c * grain;
}
