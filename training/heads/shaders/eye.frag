// SPDX-License-Identifier: GPL-3.0-or-later
// Eyeball, and the clear cornea over it (highlights only).
// trait: -, cornea, the person's left eye
uniform vec3 iris, sclera;
uniform float pupil;

void main() {
    vec3 n = normalize(normal), v = normalize(eye - position);
    if (trait.y > .5) {
        float spark = pow(max(dot(n, normalize(v + key)), 0.), 420.) * 2.2
                    + pow(max(dot(n, normalize(v + fill)), 0.), 300.) * .5;
        float mirror = .02 + .25 * pow(1. - max(dot(n, v), 0.), 4.);
        emit(key_colour * spark + ambient_at(n) * mirror, clamp(spark + mirror * .25, 0., 1.));
        return;
    }
    vec2 d = uv - (trait.z > .5 ? vec2(.2905) : vec2(.705, .702));   // iris centres in the texture layout
    float r = length(d) / .1145, turn = atan(d.y, d.x);
    vec2 ray = vec2(cos(turn), sin(turn));
    float fibres = noise(vec3(ray * 9., r * 1.5 + seed)) * .6 + noise(vec3(ray * 26., r * 3. + seed)) * .5;
    vec3 ring = iris * (.45 + .95 * fibres);
    ring = mix(ring, iris * vec3(1.25, 1.1, .8), smoothstep(.62, .38, r) * .35);
    ring *= mix(1., .22, smoothstep(.80, 1.0, r));
    ring = mix(ring, vec3(.008), smoothstep(pupil + .035, pupil - .035, r));
    vec3 white = sclera * (1. - .10 * smoothstep(1.1, 2.2, r));
    white = mix(white, white * vec3(1., .8, .76), smoothstep(1.5, 2.6, r) * .6);
    vec3 base = mix(white, ring, smoothstep(1.06, .95, r));
    float facing = max(dot(n, key), 0.);
    float under_lid = mix(1., .55, smoothstep(.05, .6, n.y)) * .93;
    emit(base * ((facing * .75 + .12) * lit(facing) * key_colour + max(dot(n, fill), 0.) * .8 * fill_colour
                 + ambient_at(n) * .8) * under_lid, 1.);
}
