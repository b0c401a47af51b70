// SPDX-License-Identifier: GPL-3.0-or-later
// Hair cards, streaked along the strands and frayed at their borders.
// trait: nearness to the border (0 border .. 1 inside), height (0 low .. 1 crown)
uniform vec3 hair, hair_light, crown;
uniform int strands;      // 0 along the texture, 1 radial about the crown, 2 radial about a knot behind
uniform float gloss;

void main() {
    vec3 n = normalize(normal), v = normalize(eye - position);
    if (dot(n, v) < 0.) n = -n;
    vec2 st = vec2(uv.x * 300., uv.y * 5.);
    if (strands > 0) {
        vec3 out_of = rest - crown;
        st = vec2(atan(out_of.x, strands == 1 ? out_of.z : out_of.y) * 46., length(out_of) * 2.2);
    }
    float streak = .6 * noise(st + seed) + .4 * noise(st * vec2(2.3, 1.7) + seed + 9.);
    if (trait.x * 1.5 < .95 * streak + .04) discard;
    vec3 base = mix(hair, hair_light, smoothstep(.25, .85, streak)) * (.55 + .75 * noise(st * vec2(.31, .6) + seed * 3.));
    vec3 rough = normalize(n + (streak - .5) * .9 * normalize(cross(n, v) + 1e-4));
    float arrives = lit(max(dot(n, key), 0.) * .5), diffuse = clamp((dot(rough, key) + .35) / 1.35, 0., 1.);
    // Two highlights across the strands (after Kajiya and Kay).
    vec3 up = vec3(0, 1, 0), along = normalize(up - n * dot(up, n) + 1e-4);
    float th = dot(along, normalize(v + key)) + (streak - .5) * .25;
    float shine = pow(max(1. - th * th, 0.), 38.) * .5 + pow(max(1. - (th + .15) * (th + .15), 0.), 12.) * .18;
    vec3 light = base * (diffuse * mix(.25, 1., arrives) * key_colour + max(dot(rough, fill), 0.) * fill_colour * .8
                         + ambient_at(n) * .85) * mix(.55, 1., trait.y);
    light += shine * gloss * key_colour * arrives * mix(vec3(.5), hair_light * 2., .6) * .35 * diffuse;
    emit(light, 1.);
}
