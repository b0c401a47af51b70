// SPDX-License-Identifier: GPL-3.0-or-later
//
// Flamenco 3 job type: render the frames of talking faces on every worker of a farm.
//
// Put this file into the folder `scripts` beside the flamenco-manager executable and restart the manager; in
// Blender's Flamenco panel press Fetch Job Types and choose "EDTalk Render". docs/farm.md says more.
//
// The frame range is cut into chunks. A chunk is one task, on any worker: Blender opens the file and renders
// what is out of date among its frames. When all are done, one task makes sure that no frame is missing and
// takes the workers' records together, and, if asked, one makes a film of the frames with the sound.

const JOB_TYPE = {
    label: "EDTalk Render",
    description: "Render the frames of talking faces that are out of date, on all workers",
    settings: [
        {
            key: "frames", type: "string", required: true,
            eval: "(lambda takes: '%d-%d' % (min(t.first for t in takes), max(t.last for t in takes)) if takes " +
                "else '%d-%d' % (C.scene.frame_start, C.scene.frame_end))" +
                "([o.edtalk.take for o in C.scene.objects if getattr(o, 'edtalk', None) and o.edtalk.take.image])",
            evalInfo: { showLinkButton: true, description: "Frames of all takes in the scene" },
            description: "Scene frames to render. Examples: '47', '1-30', '3, 5-10, 47-327'",
        },
        {
            key: "chunk_size", type: "int32", default: 50, propargs: { min: 1 }, visible: "submission",
            description: "Frames in one task; starting Blender and the model takes as long as some dozens of frames",
        },
        {
            key: "face", type: "string", default: "", visible: "submission",
            description: "Name of the face rig; empty: every face of the scene",
        },
        {
            key: "render_all", type: "bool", default: false, visible: "submission",
            description: "Render frames that are up to date, too",
        },
        {
            key: "preview", type: "bool", default: true, visible: "submission",
            description: "At the end, make preview.mp4 beside the frames, with the sound. Wants a scene with one " +
                "face, or its name",
        },

        // Filled in by itself:
        { key: "blendfile", type: "string", required: true, visible: "web", description: "The .blend that is rendered" },
        {
            key: "scene", type: "string", required: true, eval: "C.scene.name", visible: "web",
            description: "Scene the faces are in",
        },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const chunks = frameChunker(settings.frames, settings.chunk_size);
    const renderTasks = [];
    for (const chunk of chunks) {
        const args = ["--frames=" + chunk];
        if (settings.render_all) args.push("--all");
        const task = edtalkTask("render-" + chunk, settings, "render", args);
        job.addTask(task);
        renderTasks.push(task);
    }

    const gatherTask = edtalkTask("gather", settings, "render", ["--frames=" + settings.frames, "--gather"]);
    for (const task of renderTasks) gatherTask.addDependency(task);
    job.addTask(gatherTask);

    if (settings.preview) {
        const previewTask = edtalkTask("preview", settings, "preview", ["--overwrite"]);
        previewTask.addDependency(gatherTask);
        job.addTask(previewTask);
    }
}

// A task that runs `blender file.blend --scene NAME --command edtalk ...`. All that follows `--command edtalk` is
// EDTalk's own, so it must come last. {blenderArgs} is the manager's variable, "-b -y" as it comes.
function edtalkTask(name, settings, command, commandArgs) {
    const args = [];
    if (settings.scene) args.push("--scene", settings.scene);
    args.push("--command", "edtalk", command);
    if (settings.face) args.push("--rig=" + settings.face);
    const task = author.Task(name, "blender");
    task.addCommand(author.Command("blender-render", {
        exe: "{blender}",
        exeArgs: "{blenderArgs}",
        argsBefore: [],
        blendfile: settings.blendfile,
        args: args.concat(commandArgs),
    }));
    return task;
}
