// SPDX-License-Identifier: GPL-3.0-or-later
// Paints one person's skin: tone, blush, freckles, stubble, scalp, lids, lips; and a small bump map.
// All patterns hang on rest coordinates (dm): eyes at y 7.28, |x| .31; mouth at y 6.61; chin at 6.33.
in vec3 rest;
in vec2 mask_uv;
layout(location = 0) out vec4 albedo;     // rgb = square root of the colour, a = lips
layout(location = 1) out vec4 bumps;
uniform sampler2D masks;                  // lips, lid rims, inside of the mouth, ears
uniform float seed, blush, freckles, mottle, under_eye, age_spots, eyeshadow, lip_amount, beard, scalp, hairline;
uniform vec3 skin, eyeshadow_tint, lip, hair;

float spot(vec2 d, vec2 radius) { d /= radius; return exp(-dot(d, d)); }

void main() {
    vec4 mask = texture(masks, mask_uv);
    vec3 q = rest + seed;
    float x = abs(rest.x), y = rest.y, front = smoothstep(.6, 1., rest.z);
    float coarse = cloud(q * 2.2) - .47, medium = cloud(q * 9.) - .47, fine = noise(q * 55.) - .5;
    vec3 c = skin * (1. + mottle * (coarse * .35 + medium * .28 + fine * .10));
    c = mix(c, c * vec3(1.08, .93, .90), mottle * clamp(medium * 2., -1., 1.) * .5);

    float cheek = spot(vec2(x - .47, y - 6.95), vec2(.22, .20)) * front;
    float nose = spot(vec2(x, y - 6.95), vec2(.13, .12)) * smoothstep(1.4, 1.6, rest.z);
    c = mix(c, c * vec3(1.13, .80, .78), clamp(blush * (cheek * .9 + nose * .6 + mask.a * .4), 0., 1.));
    c = mix(c, c * vec3(.80, .70, .72), spot(vec2(x - .31, y - 7.13), vec2(.17, .065)) * front * under_eye);
    c = mix(c, c * eyeshadow_tint, spot(vec2(x - .31, y - 7.34), vec2(.18, .075)) * front * eyeshadow);
    c = mix(c, c * vec3(.72, .55, .52), mask.g * .55);

    float freckled = spot(vec2(x - .35, y - 7.), vec2(.35, .2)) + .25 * front;
    c = mix(c, c * vec3(.70, .52, .42), freckles * freckled * smoothstep(.46, .62, noise(q * 38.) * noise(q * 61. + 3.)));
    c = mix(c, c * vec3(.75, .62, .52), age_spots * smoothstep(.5, .66, noise(q * 14. + 9.) * noise(q * 23.)));

    float jaw = smoothstep(6.98, 6.72, y + x * .10 - .28 * smoothstep(.45, .8, x)) * smoothstep(6.12, 6.34, y)
              * smoothstep(.35, .75, rest.z + .35 * step(.5, x));
    float bearded = clamp(max(jaw, spot(vec2(x, y - 6.79), vec2(.26, .06)) * front), 0., 1.) * (1. - mask.r);
    vec3 stubble = mix(c * vec3(.66, .66, .70), hair * .8, clamp(beard - .45, 0., 1.));
    c = mix(c, stubble, bearded * clamp(beard, 0., 1.) * (.55 + .6 * noise(q * vec3(120., 70., 120.))));

    float top = smoothstep(hairline - .10, hairline + .12, y + .88 * max(0., .35 - rest.z) - .12 * x
                           + .10 * (noise(q * 30.) - .5) + .05 * (noise(q * 90.) - .5));
    float back = smoothstep(.55, .25, rest.z) * smoothstep(6.65, 6.9, y) * smoothstep(0., .15, .62 - rest.z);
    float haired = max(top, back) * (1. - mask.a) * scalp;
    c = mix(c, hair * (.7 + .6 * noise(q * vec3(60., 25., 60.))), clamp(haired, 0., 1.));

    vec3 lips = mix(c * vec3(1., .60, .58), lip, lip_amount) * (.88 + .24 * noise(q * vec3(70., 12., 12.)));
    c = mix(c, lips, mask.r * .92);
    if (mask.b > .5) c = vec3(.36, .10, .09) * (.8 + .4 * noise(q * 20.));

    vec3 grain = rest * 90.;
    vec2 e = vec2(.35, 0);
    float here = noise(grain);
    bumps = vec4((vec3(noise(grain + e.xyy), noise(grain + e.yxy), noise(grain + e.yyx)) - here) * .5 + .5, 1);
    albedo = vec4(sqrt(clamp(c, 0., 1.)), mask.r);
}
