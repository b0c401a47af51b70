// SPDX-License-Identifier: GPL-3.0-or-later
// Teeth, gums and tongue: darker the deeper they lie and the less the mouth is open.
// trait: -, tooth (else gum), tongue
uniform vec3 teeth;
uniform float daylight;   // 0..1, how much light the open lips let in

void main() {
    vec3 n = normalize(normal), v = normalize(eye - position);
    if (dot(n, v) < 0.) n = -n;
    float facing = max(dot(n, key), 0.), arrives = lit(facing);
    vec3 light;
    if (trait.z > .5) {
        float dark = mix(1., .10, clamp((1.48 - rest.z) / .55, 0., 1.)) * daylight;
        vec3 base = vec3(.52, .19, .18) * (.85 + .3 * noise(rest * 45.));
        light = base * ((facing * .5 + .2) * key_colour * mix(.5, 1., arrives) + ambient_at(n) * .7) * dark
              + highlight(n, v, key, 30.) * .3 * key_colour * dark * arrives;
    } else {
        float dark = mix(1.05, .05, pow(clamp((1.50 - rest.z) / .42, 0., 1.), .8)) * mix(.55, 1.05, daylight);
        vec3 base = mix(vec3(.50, .16, .15), teeth * (.92 + .08 * noise(rest * 40.)), trait.y);
        light = base * ((facing * .45 + .25) * key_colour * mix(.55, 1., arrives)
                        + max(dot(n, fill), 0.) * fill_colour * .5 + ambient_at(n) * .85) * dark
              + highlight(n, v, key, 60.) * .35 * key_colour * dark * arrives;
    }
    emit(light, 1.);
}
