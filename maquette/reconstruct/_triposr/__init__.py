"""The network of TripoSR and what surrounds it; ``..triposr`` is the backend's face.

Paper: Tochilkin et al., "TripoSR: Fast 3D Object Reconstruction from a Single Image", arXiv:2403.02151. Written from
the paper and from recorded numbers of the published code (tests/data/triposr); it loads the published checkpoint.

Model frame: z up, the pictured front towards +x, y to the viewer's right; the volume is the cube of half side 0.87.
"""
