// SPDX-License-Identifier: GPL-3.0-or-later
// Skin, the inside of the mouth, and clothes (skin pushed out a little and recoloured).
// trait: ambient occlusion, inside of the mouth, distance below the neckline (dm)
uniform sampler2D albedo;   // square root of the colour; alpha = lips
uniform sampler2D bumps;
uniform float bump, oil, stripes;
uniform vec3 cloth, cloth_trim;

void main() {
    float open = trait.x, mouth = trait.y, below = trait.z;
    vec4 painted = texture(albedo, uv);
    vec3 base = painted.rgb * painted.rgb;
    float lips = painted.a;
    bool clothed = below >= 0. && mouth <= .1;
    vec3 n = normalize(normal), v = normalize(eye - position);
    if (!clothed && mouth < .5) n = normalize(n - (texture(bumps, uv).xyz * 2. - 1.) * bump * .55 * (1. - .6 * lips));
    float facing = dot(n, key), arrives = lit(max(facing, 0.));
    float shade = mix(.25, 1., open), gloss = oil + .5 * lips;

    // Light bleeds through skin, red most: wrapped diffuse, and shadows that keep a little red.
    vec3 bleed = vec3(.38, .18, .12);
    vec3 from_key = clamp((facing + bleed) / (1. + bleed), 0., 1.) * mix(vec3(arrives), vec3(1), vec3(.10, .03, .02));
    vec3 from_fill = clamp((dot(n, fill) + bleed) / (1. + bleed), 0., 1.);
    if (clothed) {
        float weave = random_at(floor(rest.xy * 90.));
        float stripe = stripes > 0. ? step(.5, fract(rest.y * stripes)) : 0.;
        base = mix(cloth, cloth_trim, stripe) * (.85 + .3 * weave);
        base = mix(base, cloth_trim * .6, .8 * step(below, .07)) * (.9 + .1 * smoothstep(0., .03, below));
        gloss = 0.;
        shade = mix(.45, 1., open);
        from_key = vec3(max(facing, 0.) * arrives);
    }
    vec3 light = base * (from_key * key_colour + from_fill * fill_colour + ambient_at(n) * shade * shade);
    light += (highlight(n, v, key, 18.) * .45 + highlight(n, v, key, 70.) * .35) * gloss * key_colour * arrives * shade;
    light += highlight(n, v, fill, 20.) * gloss * .5 * fill_colour * shade;
    light += pow(1. - max(dot(n, v), 0.), 4.) * ambient_at(n) * .10 * shade * (1. - mouth);
    if (mouth > .5) light *= mix(.42, .02, pow(clamp((1.52 - rest.z) / .45, 0., 1.), .6));  // darker with depth
    emit(light, 1.);
}
