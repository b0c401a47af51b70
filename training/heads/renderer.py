# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws posed figures with OpenGL 3.3, without a window: on a graphics card, or by Mesa's llvmpipe anywhere.

Besides colour, a second target keeps the number of the triangle seen at each pixel, for `labels`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from training.heads.figure import Figure
from training.heads.look import Look
from training.heads.opengl import clamped, open_context, set_uniforms, used_fields
from training.heads.pack import Floats, load_pack
from training.heads.pose import EYE, Posed
from training.heads.shaders import SURFACES, sources

SHADOW_CENTRE = np.array([0.0, 7.1, 0.6])
LOOK_UNIFORMS = (
    "oil",
    "bump",
    "stripes",
    "cloth",
    "cloth_trim",
    "iris",
    "sclera",
    "pupil",
    "teeth",
    "hair",
    "hair_light",
    "brow",
    "lash_density",
    "seed",
)
BAKE_UNIFORMS = (
    "seed",
    "blush",
    "freckles",
    "mottle",
    "under_eye",
    "age_spots",
    "eyeshadow",
    "lip_amount",
    "beard",
    "scalp",
    "hairline",
    "skin",
    "eyeshadow_tint",
    "lip",
    "hair",
)
PROGRAM_OF = {
    "skin": "skin",
    "eye": "eye",
    "cornea": "eye",
    "teeth": "mouth",
    "tongue": "mouth",
    "hair": "hair",
    "brow": "brow",
    "lash": "brow",
}
# Nearest first, so that what lies below is not shaded in vain; the others blend over all of it.
SOLID = ("hair", "skin", "eye", "teeth", "tongue")
BLENDED = ("brow", "lash", "cornea")
TWO_SIDED = ("hair", "brow", "lash")

# Streak direction, streak centre and gloss by hair style (see shaders/hair.frag).
HAIR_STYLES = {
    "short": (1, (0.0, 8.42, 0.35), 0.7),
    "braid": (1, (0.0, 8.42, 0.35), 0.7),
    "afro": (1, (0.0, 8.42, 0.35), 0.15),
    "ponytail": (2, (0.0, 7.75, -0.75), 0.7),
}
PLAIN_STYLE = (0, (0.0, 8.42, 0.35), 0.7)

ALBEDO, BUMPS, SHADOW, PICTURE = range(4)  # texture units


@dataclass
class Drawable:
    """A figure's buffers and textures on the graphics side; `release` gives them back."""

    figure: Figure
    gl: moderngl.Context
    moving: moderngl.Buffer
    still: moderngl.Buffer
    index: moderngl.Buffer
    arrays: dict[str, moderngl.VertexArray]
    albedo: moderngl.Texture
    bumps: moderngl.Texture
    background: moderngl.Texture

    def release(self) -> None:
        """Frees the graphics memory; the drawable is unusable afterwards."""
        with self.gl:
            for thing in (
                *self.arrays.values(),
                self.moving,
                self.still,
                self.index,
                self.albedo,
                self.bumps,
                self.background,
            ):
                thing.release()


@dataclass(frozen=True)
class Drawn:
    """`image` uint8 [S, S, 3]; `triangles` uint32 [2S, 2S]: triangle seen + 1, or 0. Top row first."""

    image: NDArray[np.uint8]
    triangles: NDArray[np.uint32]


class Renderer:
    """One OpenGL context that draws square pictures of `size` pixels, each the mean of 2 x 2 samples.

    Raises NoGraphics when no OpenGL 3.3 can be had. Use it from the thread that made it.
    """

    def __init__(self, size: int) -> None:
        self.size, self.side = size, 2 * size
        gl = self.gl = open_context()
        self.programs = {
            name: gl.program(vertex_shader=vertex, fragment_shader=fragment)
            for name, (vertex, fragment) in sources().items()
        }
        square = (self.side, self.side)
        self.target = gl.framebuffer(
            [gl.texture(square, 4), gl.texture(square, 1, dtype="u4")], gl.depth_renderbuffer(square)
        )
        shadow_side = int(np.clip(2 * size, 256, 1024))
        self.shadow = gl.depth_texture((shadow_side, shadow_side))
        self.shadow.compare_func = "<="
        self.shadow.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self.shadow.repeat_x = self.shadow.repeat_y = False
        self.shadow_target = gl.framebuffer([], self.shadow)
        masks = load_pack().raw["mask_rgba"]
        self.masks = clamped(gl.texture(masks.shape[1::-1], 4, masks[::-1].tobytes()))
        corners = gl.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self.backdrop = gl.vertex_array(self.programs["background"], [(corners, "2f", "in_corner")])
        gl.depth_func = "<="  # the background lies exactly at the far end
        self.bake_side = int(np.clip(4 * size, 512, 2048))

    def upload(self, figure: Figure) -> Drawable:
        """Sends a figure to the graphics side and paints its skin."""
        with self.gl:
            return self._upload(figure)

    def _upload(self, figure: Figure) -> Drawable:
        gl = self.gl
        still = gl.buffer(np.concatenate([figure.canonical, figure.uv, figure.trait], axis=1).tobytes())
        moving = gl.buffer(reserve=len(figure.rest) * 40, dynamic=True)
        index = gl.buffer(figure.triangles.tobytes())
        layout = (
            (moving, (("4f", "in_clip"), ("3f", "in_position"), ("3f", "in_normal"))),
            (still, (("3f", "in_rest"), ("2f", "in_uv"), ("4f", "in_trait"))),
        )
        arrays = {
            name: gl.vertex_array(self.programs[name], used_fields(self.programs[name], layout), index)
            for name in (*SURFACES, "shadow")
        }
        albedo, bumps = self._bake(figure, still)
        rows = (figure.background * 255.0 + 0.5).astype(np.uint8)
        background = clamped(gl.texture(rows.shape[1::-1], 3, rows.tobytes(), alignment=1))
        return Drawable(figure, gl, moving, still, index, arrays, albedo, bumps, background)

    def draw(self, drawable: Drawable, posed: Posed, daylight: float = 1.0) -> Drawn:
        """Draws one frame.

        Args:
            posed: from `figure.pose`.
            daylight: 0..1, how far the lips let light in; at 0 teeth and tongue are not drawn at all.
        """
        with self.gl:
            return self._draw(drawable, posed, daylight)

    def _draw(self, drawable: Drawable, posed: Posed, daylight: float) -> Drawn:
        gl, figure = self.gl, drawable.figure
        drawable.moving.write(np.concatenate([posed.clip, posed.position, posed.normal], axis=1).tobytes())
        light_view = _light_view(figure.light.key)
        gl.enable_only(moderngl.DEPTH_TEST)
        self._draw_shadow(drawable, light_view)
        self.target.use()
        self.target.clear(depth=1.0)
        for unit, texture in (
            (ALBEDO, drawable.albedo),
            (BUMPS, drawable.bumps),
            (SHADOW, self.shadow),
            (PICTURE, drawable.background),
        ):
            texture.use(unit)
        shared: dict[str, Any] = {
            "light_view": light_view,
            "eye": EYE,
            "shadow_map": SHADOW,
            "albedo": ALBEDO,
            "bumps": BUMPS,
            "daylight": 0.35 + 0.65 * daylight,
            **asdict(figure.light),
            **_chosen(figure.look, LOOK_UNIFORMS),
        }
        style = next((s for key, s in HAIR_STYLES.items() if key in figure.look.hair_mesh), PLAIN_STYLE)
        shared.update(strands=style[0], crown=style[1], gloss=style[2])
        for name in SURFACES:
            set_uniforms(self.programs[name], **shared)
        hidden = ("teeth", "tongue") if daylight <= 0.0 else ()
        for material in SOLID:
            if material not in hidden:
                self._draw_material(drawable, material)
        gl.enable_only(moderngl.DEPTH_TEST)
        set_uniforms(self.programs["background"], picture=PICTURE)
        self.backdrop.render()
        self.target.depth_mask = False
        for material in BLENDED:
            self._draw_material(drawable, material)
        self.target.depth_mask = True
        return self._read()

    def _draw_material(self, drawable: Drawable, material: str) -> None:
        flags = moderngl.DEPTH_TEST
        if material in BLENDED:
            flags |= moderngl.BLEND
        if material not in TWO_SIDED:
            flags |= moderngl.CULL_FACE
        self.gl.enable_only(flags)
        name = PROGRAM_OF[material]
        for part in drawable.figure.parts:
            if part.material == material:
                first, lashes = part.first + 1, int(material == "lash")
                set_uniforms(self.programs[name], first_triangle=first, lashes=lashes)
                drawable.arrays[name].render(vertices=part.count * 3, first=part.first * 3)

    def _draw_shadow(self, drawable: Drawable, light_view: Floats) -> None:
        self.shadow_target.use()
        self.shadow_target.clear(depth=1.0)
        for part in drawable.figure.parts:
            if part.material in ("skin", "hair"):
                cut = 0.25 if part.material == "hair" else -1.0
                set_uniforms(self.programs["shadow"], light_view=light_view, cut=cut)
                drawable.arrays["shadow"].render(vertices=part.count * 3, first=part.first * 3)

    def _bake(self, figure: Figure, still: moderngl.Buffer) -> tuple[moderngl.Texture, moderngl.Texture]:
        gl, pack, program = self.gl, load_pack(), self.programs["bake"]
        skin = figure.parts[0]
        low, high = pack.raw["mask_uv_lo"], pack.raw["mask_uv_hi"]
        mask_uv = gl.buffer(((pack.skin.uv - low) / (high - low)).astype(np.float32).tobytes())
        index = gl.buffer(figure.triangles[: skin.count].tobytes())
        array = gl.vertex_array(
            program, [(still, "3f 2f 16x", "in_rest", "in_uv"), (mask_uv, "2f", "in_mask_uv")], index
        )
        textures = [clamped(gl.texture((self.bake_side, self.bake_side), 4)) for _ in range(2)]
        target = gl.framebuffer(textures)
        target.use()
        target.clear(*np.sqrt(figure.look.skin), 0.0)
        gl.enable_only(moderngl.NOTHING)
        self.masks.use(PICTURE)
        set_uniforms(program, masks=PICTURE, **_chosen(figure.look, BAKE_UNIFORMS))
        array.render()
        for thing in (array, target, mask_uv, index):
            thing.release()
        for texture in textures:
            texture.build_mipmaps()
            texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        return textures[0], textures[1]

    def _read(self) -> Drawn:
        side = self.side
        colour = np.frombuffer(self.target.read(components=3, alignment=1), np.uint8)
        wide = colour.reshape(side, side, 3)[::-1].astype(np.uint16)
        mean = (wide[0::2, 0::2] + wide[1::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 1::2] + 2) >> 2
        seen = self.target.read(components=1, attachment=1, dtype="u4", alignment=1)
        return Drawn(mean.astype(np.uint8), np.frombuffer(seen, np.uint32).reshape(side, side)[::-1])


def _chosen(look: Look, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(look, name) for name in names}


def _light_view(towards: Floats) -> Floats:
    """Orthographic view [4, 4] from the key light onto the head, 3.8 dm wide and 13 dm deep."""
    back = towards / np.linalg.norm(towards)
    right = np.cross((0.0, 1.0, 0.01), back)
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(back, right), back])
    view = np.eye(4)
    view[:3, :3] = rows
    view[:3, 3] = -rows @ (SHADOW_CENTRE + 7.0 * towards)
    near, far = 1.0, 14.0
    frame = np.diag([1 / 1.9, 1 / 1.9, -2 / (far - near), 1.0])
    frame[2, 3] = -(far + near) / (far - near)
    return np.asarray(frame @ view)
