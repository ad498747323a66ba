"""The nouns that flow between stages. Frozen, host-side numpy; a stage that computes on a GPU converts and comes back.

Frames and units (one place for all of them):

* world: right-handed, y up, the object's front towards +z (glTF); the object is centred and its longest side is 1
* camera: OpenGL axes, x right, y up, looking along -z; ``intrinsics`` in pixels, pixel (0, 0)'s centre at (0.5, 0.5)
* pictures: float32 in [0, 1], sRGB encoded, row 0 at the top; masks: float32 in [0, 1], 1 = subject
* uvs: [0, 1], origin top left as glTF stores them
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .errors import BadImageError, BadMaskError, BadMeshError

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]


def frozen_array(values: Any, dtype: Any) -> npt.NDArray[Any]:
    """A contiguous array of ``dtype`` that cannot be written through (ComfyUI caches what nodes return)."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    intrinsics: [3, 3] float64, pixels, of a picture ``width`` x ``height``; cam_to_world: [4, 4] float64, OpenGL axes.
    """

    intrinsics: npt.NDArray[np.float64]
    cam_to_world: npt.NDArray[np.float64]
    width: int
    height: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "intrinsics", frozen_array(self.intrinsics, np.float64).reshape(3, 3))
        object.__setattr__(self, "cam_to_world", frozen_array(self.cam_to_world, np.float64).reshape(4, 4))

    @property
    def position(self) -> npt.NDArray[np.float64]:
        """[3] the eye in world coordinates."""
        return self.cam_to_world[:3, 3]


@dataclass(frozen=True)
class View:
    """One picture of the subject.

    rgb: [H, W, 3] float32 sRGB; mask: [H, W] float32, 1 = subject; camera: None while unknown; name: for messages
    ("front", "right", a file name ...).
    """

    rgb: FloatArray
    mask: FloatArray
    camera: Camera | None = None
    name: str = "front"

    def __post_init__(self) -> None:
        rgb, mask = frozen_array(self.rgb, np.float32), frozen_array(self.mask, np.float32)
        if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
            raise BadImageError(f"view '{self.name}': a picture must be [H, W, 3] and not empty, got {rgb.shape}")
        if mask.shape != rgb.shape[:2]:
            raise BadMaskError(
                f"view '{self.name}': the mask is {mask.shape} but the picture is {rgb.shape[:2]} (height, width);"
                " resize one to the other first"
            )
        object.__setattr__(self, "rgb", rgb)
        object.__setattr__(self, "mask", mask)


@dataclass(frozen=True)
class DepthMap:
    """depth: [H, W] float32, z-depth along the camera axis (metres if ``metric``, else world units), NaN = nothing."""

    depth: FloatArray
    metric: bool = False
    camera: Camera | None = None

    @property
    def disparity(self) -> FloatArray:
        """[H, W] inverse depth, 0 where nothing is there; larger = nearer."""
        with np.errstate(divide="ignore"):
            return np.nan_to_num(1.0 / self.depth, nan=0.0, posinf=0.0).astype(np.float32)

    @property
    def nearness(self) -> FloatArray:
        """[H, W] linear in the disparity: the nearest point 1, the farthest 0.1, nothing 0. For the eye and as a prior:
        linear in the depth, a far background would press all that is near into one grey."""
        near = self.disparity
        known = near > 0
        if not known.any():
            return np.zeros_like(near)
        low, high = float(near[known].min()), float(near[known].max())
        return np.where(known, 1 - 0.9 * (high - near) / max(high - low, 1e-12), 0).astype(np.float32)


@dataclass(frozen=True)
class Texture:
    """Maps of a material, each [S, S, C] float32 in [0, 1], row 0 = v 0; base_color sRGB, everything else linear.

    metallic_roughness: [S, S, 3] as in glTF (G = roughness, B = metallic, R = occlusion or 1); normal: tangent space.
    """

    base_color: FloatArray
    metallic_roughness: FloatArray | None = None
    normal: FloatArray | None = None
    occlusion: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("base_color", "metallic_roughness", "normal", "occlusion"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, frozen_array(value, np.float32))


@dataclass(frozen=True)
class Material:
    """glTF factors; ``base_color`` is linear RGB as glTF wants factors. Always opaque (mission, bug 7)."""

    base_color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    metallic: float = 0.0
    roughness: float = 0.8
    double_sided: bool = False


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in the world frame.

    vertices: [V, 3] float32; faces: [F, 3] int32, counter-clockwise seen from outside;
    vertex_normals: [V, 3] unit; vertex_colors: [V, 3] float32 **linear** as in glTF; uvs: [V, 2] (vertices are already
    split along UV seams); confidence: [V] in [0, 1], how sure the reconstruction is of this vertex.
    """

    vertices: FloatArray
    faces: IntArray
    vertex_normals: FloatArray | None = None
    vertex_colors: FloatArray | None = None
    uvs: FloatArray | None = None
    confidence: FloatArray | None = None
    texture: Texture | None = None
    material: Material = field(default_factory=Material)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", frozen_array(self.vertices, np.float32).reshape(-1, 3))
        object.__setattr__(self, "faces", frozen_array(self.faces, np.int32).reshape(-1, 3))
        for name, width in (("vertex_normals", 3), ("vertex_colors", 3), ("uvs", 2), ("confidence", None)):
            value = getattr(self, name)
            if value is None:
                continue
            shape = (-1,) if width is None else (-1, width)
            array = frozen_array(value, np.float32).reshape(shape)
            if len(array) != len(self.vertices):
                raise BadMeshError(f"{name} has {len(array)} rows but the mesh has {len(self.vertices)} vertices")
            object.__setattr__(self, name, array)

    def checked(self) -> Mesh:
        """Itself, or BadMeshError when it is empty, holds NaN or inf, or has indices out of range."""
        if len(self.vertices) == 0 or len(self.faces) == 0:
            raise BadMeshError(
                f"the mesh is empty ({len(self.vertices)} vertices, {len(self.faces)} faces); the step before it found"
                " no surface: look at its mask or threshold"
            )
        if not np.isfinite(self.vertices).all():
            bad = int((~np.isfinite(self.vertices)).any(axis=1).sum())
            raise BadMeshError(
                f"{bad} of {len(self.vertices)} vertices are NaN or infinite; run Clean Mesh on the input"
            )
        low, high = int(self.faces.min()), int(self.faces.max())
        if low < 0 or high >= len(self.vertices):
            raise BadMeshError(
                f"face indices run from {low} to {high} but the mesh has {len(self.vertices)} vertices; it is corrupt"
            )
        return self

    def with_geometry(self, vertices: Any, faces: Any) -> Mesh:
        """The same material on new geometry; all that is per vertex, and the texture of the old uvs, is gone."""
        return Mesh(vertices, faces, material=self.material)

    def replace(self, **changes: Any) -> Mesh:
        """A copy with some fields changed."""
        return replace(self, **changes)

    @property
    def bounds(self) -> FloatArray:
        """[2, 3] lowest and highest corner."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])


@dataclass(frozen=True)
class SurfaceSample:
    """What an Appearance says of N surface points.

    base_color: [N, 3] sRGB in [0, 1]; metallic, roughness: [N] in [0, 1];
    known: [N] in [0, 1], 1 = measured (a photo saw it), 0 = made up (nearest colour, constant).
    """

    base_color: torch.Tensor
    metallic: torch.Tensor
    roughness: torch.Tensor
    known: torch.Tensor


@runtime_checkable
class Appearance(Protocol):
    """The look of an object, independent of its mesh: sample it at any point, bake it onto any mesh later."""

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        """points, normals: [N, 3] float32 on any device, world frame; the answer is on the same device."""
        ...


@runtime_checkable
class Carried(Protocol):
    """An appearance that lives on a mesh and so can do without a search when that very mesh is baked."""

    def carried(self, mesh: Mesh) -> FloatArray | None:
        """[V, C] values at the vertices of ``mesh``, None when it is not the mesh that the look lives on."""
        ...

    def from_carried(self, values: torch.Tensor) -> SurfaceSample:
        """values: [N, C], interpolated between the vertices -> what ``sample`` says at those points."""
        ...


@dataclass(frozen=True)
class Reconstruction:
    """What the reconstruct stage gives.

    mesh: world frame, longest side 1, centred; appearance: for the bake; views: the input views with their cameras **in
    the mesh's frame**; backend: which one made it; notes: what the user should know (each fallback once);
    figures: numbers for the report (resolution, peak memory, rung of the ladder ...).
    """

    mesh: Mesh
    appearance: Appearance
    views: tuple[View, ...]
    backend: str
    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MeshReport:
    """What ``certify`` measured; ``as_dict`` is the JSON that users and the gate see (docs/report.md describes it).

    self_intersections: pairs of faces that cross, counted on at most ``sampled_faces`` faces; volume and area in world
    units; genus is None where the surface is not closed and manifold; certified = safe to print, sculpt and rig.
    """

    vertices: int
    faces: int
    components: int
    boundary_edges: int
    non_manifold_edges: int
    degenerate_faces: int
    duplicate_faces: int
    watertight: bool
    winding_consistent: bool
    outward: bool
    manifold: bool
    euler: int
    genus: int | None
    volume: float
    area: float
    self_intersections: int
    sampled_faces: int
    bounds_min: tuple[float, float, float]
    bounds_max: tuple[float, float, float]
    certified: bool
    reasons: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types only."""
        from dataclasses import asdict

        out = asdict(self)
        for key in ("bounds_min", "bounds_max", "reasons"):
            out[key] = list(out[key])
        return out
