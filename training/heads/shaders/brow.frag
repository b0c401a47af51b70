// SPDX-License-Identifier: GPL-3.0-or-later
// Eyebrows and eyelashes: blended over what lies below.
// trait, brows: nearness to the border. trait, lashes: nearness to the root, place along the lid, side of the eye
uniform vec3 brow;
uniform int lashes;
uniform float lash_density;

void main() {
    float alpha;
    vec3 light;
    if (lashes == 0) {
        vec2 st = vec2(uv.x * 170. - uv.y * 190., uv.y * 40. + uv.x * 20.);
        float streak = .6 * noise(st + seed) + .4 * noise(st * 2.3 + seed);
        alpha = .93 * smoothstep(streak - .25, streak + .45, trait.x * 1.1) * smoothstep(0., .25, trait.x);
        float facing = max(dot(normalize(normal), key), 0.);
        light = brow * ((facing * .8 + .2) * key_colour * mix(.35, 1., lit(facing)) + ambient_at(normalize(normal)) * .8);
    } else {
        float st = trait.y * 120. + (1. - trait.x) * trait.z * 3.;
        float hair = floor(st), side = abs(fract(st + .3 * random_at(vec2(hair, seed))) - .5) * 2.;
        float length_ = .28 + .52 * random_at(vec2(hair, seed + 3.));
        alpha = smoothstep(.35, .9, 1. - side) * smoothstep(length_, length_ - .4, 1. - trait.x) * .75;
        alpha = max(alpha, smoothstep(.78, 1., trait.x) * .7) * lash_density;
        light = vec3(.010, .008, .007) * (ambient_at(normalize(normal)) * .5 + key_colour * .15);
    }
    if (alpha < .05) discard;
    emit(light, alpha);
}
